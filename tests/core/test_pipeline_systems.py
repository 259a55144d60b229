"""Every system makes a video from files: the bundled model in its three modes, the public models."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cyberhost_core import bundled
from cyberhost_core.cli.main import OK, main
from cyberhost_core.errors import ConfigError
from cyberhost_core.hands.alignment import align_track
from cyberhost_core.hands.track import HandTrack, load_hand_track, save_hand_track
from cyberhost_core.hands.track_operations import mirrored
from cyberhost_core.media.audio import Sound, read_sound
from cyberhost_core.media.images import read_image
from cyberhost_core.media.probe import video_facts
from cyberhost_core.media.video import VideoWriter, read_frames
from cyberhost_core.perception.pose import PoseDetector
from cyberhost_core.pipeline.generate import generate
from cyberhost_core.pipeline.options import Driving, GenerateOptions, Networks
from cyberhost_core.types import SEEN, Pose

from .public_models import CLIP, GESTURE, converted, networks

PORTRAIT = read_image(bundled.portraits()[0])
SIZE = (64, 64)
SHORT = {"steps": 1, "reference_scale": 1.0, "audio_scale": 1.0}  # one pass, one step


def driving(kind: str) -> Driving:
    """What drives each of the public models."""
    drivers = {"echomimic-v2": Driving(track=GESTURE), "hallo": Driving()}
    return drivers[kind] if kind in drivers else Driving(video=one_second())


@cache
def one_second() -> Path:
    """A second of the bundled clip, with a voice: finding the person of all of it takes seconds."""
    return short_clip(Path(mkdtemp(prefix="driving-")) / "clip.mp4", frames=25, sound=voice(1.0))


def voice(secs: float = 0.5, *, name: str = "held_out_03.ogg", start: float = 0.0) -> Sound:
    sound = read_sound(bundled.FOLDER / "speech" / name)
    first = round(start * sound.rate_hz)
    wave_CT = sound.wave_CT[:, first : first + round(secs * sound.rate_hz)]
    return Sound(wave_CT, sound.rate_hz, name=name)


def made(out: Path, path: Path, *, outside: Networks | None = None, **chosen: Any) -> SimpleNamespace:
    """Run the whole story; sound and picture may be chosen as any option may."""
    sound, picture = chosen.pop("sound", None), chosen.pop("picture", PORTRAIT)
    notices: list[str] = []
    report = generate(
        path,
        image_YXC=picture,
        sound=sound,
        out_path=out,
        options=GenerateOptions(**chosen),
        networks=outside,
        on_notice=notices.append,
    )
    return SimpleNamespace(frames=read_frames(out), report=report, path=out, notices=notices)


# --- the bundled model


def hands_off(frames_FYXC: np.ndarray, pose: Pose) -> float:
    """Mean distance in px between the wrists and knuckles that are found and those of a pose."""
    found = PoseDetector(bundled.POSE_NETWORK).detect(frames_FYXC, padding=1.0)
    far: list[np.ndarray] = []
    for side in ("left_hand_FKC", "right_hand_FKC"):
        one, two = (getattr(each, side)[:, [0, 5, 9, 13, 17]] for each in (found, pose))
        seen = (one[..., 2] >= SEEN) & (two[..., 2] >= SEEN)
        far.append(np.linalg.norm(one[..., :2] - two[..., :2], axis=-1)[seen])
    return float(np.concatenate(far).mean())


def fitted(track: HandTrack, frames: int) -> Pose:
    portrait = PoseDetector(bundled.POSE_NETWORK).detect(PORTRAIT, padding=1.0)
    return align_track(track, portrait).pose[:frames]


@pytest.fixture(scope="module")
def other_track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled gesture, left and right in each other's place."""
    path = tmp_path_factory.mktemp("tracks") / "mirrored.json"
    save_hand_track(path, mirrored(load_hand_track(GESTURE)))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "driver", [Driving(track=GESTURE), Driving(video=CLIP)], ids=["multimodal", "reenactment"]
)
def test_hands_go_where_the_driver_has_them(driver: Driving, other_track: Path, tmp_path: Path) -> None:
    """Nearer to the driver's than to those of another track; frames where the two differ count."""
    run = made(
        tmp_path / "a.mp4", bundled.CHECKPOINT, sound=voice(1.2), driving=driver, steps=5, audio_scale=1.5
    )
    own, other = (fitted(load_hand_track(path), 30) for path in (GESTURE, other_track))
    assert len(run.frames) == 30
    near, far = (hands_off(run.frames[5:30:6], pose[np.arange(5, 30, 6)]) for pose in (own, other))
    assert near < 6
    assert far > 2 * near


def test_a_hand_track_and_a_video_each_change_what_the_movement_model_makes(tmp_path: Path) -> None:
    drivers = [Driving(), Driving(track=GESTURE), Driving(video=one_second())]
    frames = [
        made(tmp_path / f"{n}.mp4", bundled.CHECKPOINT, sound=voice(), driving=driver, **SHORT).frames
        for n, driver in enumerate(drivers)
    ]
    assert all(len(each) == 13 for each in frames)
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(frames[one].astype(int) - frames[two]).mean() > 0.5


def test_a_video_that_drives_brings_its_sound(tmp_path: Path) -> None:
    clip = short_clip(tmp_path / "clip.mp4", frames=11, sound=voice(0.44))
    run = made(tmp_path / "a.mp4", bundled.CHECKPOINT, driving=Driving(video=clip), **SHORT)
    assert len(run.frames) == 11
    assert video_facts(run.path).has_sound


def test_a_video_without_sound_does_not_say_what_to_speak(tmp_path: Path) -> None:
    clip = short_clip(tmp_path / "clip.mp4", frames=5, sound=None)
    with pytest.raises(ConfigError, match="'cyberhost-tiny' follows a voice, and none was given; give a"):
        made(tmp_path / "a.mp4", bundled.CHECKPOINT, driving=Driving(video=clip), **SHORT)
    assert not (tmp_path / "a.mp4").exists()


# --- the public models


def public(out: Path, kind: str, **chosen: Any) -> SimpleNamespace:
    usual: dict[str, Any] = {"driving": driving(kind), "steps": 1, "size": SIZE}
    if kind != "animate-anyone":
        usual["sound"] = voice()
    else:
        usual["fps"] = 9.0
    return made(out, converted()[kind], outside=networks(kind), **(usual | chosen))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SimpleNamespace]:
    folder, done = tmp_path_factory.mktemp("runs"), {}

    def run(kind: str) -> SimpleNamespace:
        if kind not in done:
            done[kind] = public(folder / f"{kind}.mp4", kind)
        return done[kind]

    return run


@pytest.mark.parametrize(
    ("kind", "frames"),
    # 0.5 s at each system's own rate; the clip's second at the rate that was asked for
    [("echomimic-v2", 12), ("hallo", 13), ("animate-anyone", 9)],
)
def test_a_public_model_makes_a_video(
    kind: str, frames: int, runs: Callable[[str], SimpleNamespace], tmp_path: Path
) -> None:
    run = runs(kind)
    assert run.frames.shape == (frames, *SIZE, 3)
    assert run.frames.std() > 5, "there is something to see"
    assert video_facts(run.path).has_sound
    again = public(tmp_path / "again.mp4", kind)
    other = public(tmp_path / "other.mp4", kind, seed=1)
    assert sha(again.path) == sha(run.path)
    assert sha(other.path) != sha(run.path)


@pytest.mark.parametrize(
    ("kind", "chosen"),
    [
        ("echomimic-v2", {"driving": Driving(track=GESTURE, when_short="loop"), "sound": voice(start=1.0)}),
        pytest.param("echomimic-v2", {"driving": Driving(video=CLIP)}, marks=pytest.mark.slow),
        ("hallo", {"sound": voice(start=1.0)}),
        pytest.param("hallo", {"region_weights": (1.0, 0.0, 1.0)}, marks=pytest.mark.slow),
        pytest.param("hallo", {"picture": read_image(bundled.portraits()[1])}, marks=pytest.mark.slow),
        ("animate-anyone", {"picture": read_image(bundled.portraits()[1])}),
        pytest.param("animate-anyone", {"reference_scale": 2.0}, marks=pytest.mark.slow),
    ],
)
def test_what_drives_a_public_model_matters(
    kind: str, chosen: dict, runs: Callable[[str], SimpleNamespace], tmp_path: Path
) -> None:
    other = public(tmp_path / "other.mp4", kind, **chosen)
    assert np.abs(other.frames.astype(int) - runs(kind).frames).max() > 8


def test_another_hand_track_gives_echomimic_other_frames(
    other_track: Path, runs: Callable[[str], SimpleNamespace], tmp_path: Path
) -> None:
    other = public(tmp_path / "other.mp4", "echomimic-v2", driving=Driving(track=other_track))
    assert np.abs(other.frames.astype(int) - runs("echomimic-v2").frames).max() > 8


def test_another_video_gives_animate_anyone_other_frames_at_its_own_rate(tmp_path: Path) -> None:
    clips = [
        short_clip(tmp_path / f"clip-{start}.mp4", frames=6, sound=None, start=start, fps=12)
        for start in (20, 70)
    ]
    runs = [
        public(tmp_path / f"{n}.mp4", "animate-anyone", driving=Driving(video=clip), fps=None)
        for n, clip in enumerate(clips)
    ]
    assert [len(run.frames) for run in runs] == [6, 6]
    assert video_facts(runs[0].path).fps == 12
    assert not video_facts(runs[0].path).has_sound
    assert np.abs(runs[0].frames.astype(int) - runs[1].frames).max() > 8


def test_a_sound_that_is_only_carried_ends_with_the_frames(tmp_path: Path) -> None:
    clip = short_clip(tmp_path / "clip.mp4", frames=5, sound=None)
    run = public(
        tmp_path / "a.mp4", "animate-anyone", driving=Driving(video=clip), fps=None, sound=voice(2.0)
    )
    assert len(run.frames) == 5
    assert read_sound(run.path).seconds == pytest.approx(0.2, abs=0.05)


def test_puppet_networks_are_named_where_a_system_is_for_people(
    runs: Callable[[str], SimpleNamespace],
) -> None:
    (one,) = runs("echomimic-v2").notices
    assert one == (
        "'echomimic-v2' is for people, but the bundled network of --pose-detector knows drawn puppets; name "
        "one for people."
    )
    assert [notice.split("--")[1].split()[0] for notice in runs("hallo").notices] == [
        "pose-detector",
        "face-network",
    ]


@pytest.mark.parametrize(
    ("kind", "chosen", "outside", "says"),
    [
        ("echomimic-v2", {"driving": Driving()}, {}, r"is driven by hands, and none were given; .*--hands"),
        ("echomimic-v2", {"hand_clarity": 0.5}, {}, r"hand clarity \(--hand-clarity\) was given, but"),
        ("echomimic-v2", {}, {"face_network": Path("f")}, r"\(--face-network\) was given, but"),
        (
            "hallo",
            {"driving": Driving(track=GESTURE)},
            {},
            r"\(--hands\) was given, but 'hallo' is driven by",
        ),
        ("hallo", {"driving": Driving(video=CLIP)}, {}, r"\(--video\) was given, but 'hallo' is driven by"),
        ("hallo", {"sound": None}, {}, r"follows a voice, and none was given"),
        ("hallo", {}, {"clip_vision": Path("c")}, r"\(--clip-vision\) was given, but"),
        ("animate-anyone", {"driving": Driving()}, {}, r"driven by a video, and none was given; .*--video"),
        ("animate-anyone", {"audio_scale": 2.0}, {}, r"\(--audio-scale\) was given, but"),
        ("animate-anyone", {"region_weights": (1, 1, 1)}, {}, r"\(--region-weights\) was given, but"),
        ("animate-anyone", {}, {"clip_vision": None}, r"CLIP's vision tower was not given; .*--clip-vision"),
        ("animate-anyone", {}, {"vae": None}, r"holds no autoencoder"),
        ("hallo", {"size": (60, 64)}, {}, r"64 x 60 was asked for, but both sides must be multiples of 8"),
    ],
)
def test_what_has_no_effect_or_is_missing_is_refused(
    kind: str, chosen: dict, outside: dict, says: str, tmp_path: Path
) -> None:
    known = {name: getattr(networks(kind), name) for name in ("clip_vision", "vae")}
    usual: dict[str, Any] = {"driving": driving(kind), "sound": voice(), "steps": 1}
    with pytest.raises(Exception, match=says) as refused:
        made(tmp_path / "a.mp4", converted()[kind], outside=Networks(**(known | outside)), **(usual | chosen))
    assert refused.type.__module__ == ConfigError.__module__
    assert list(tmp_path.iterdir()) == []


def test_a_public_model_runs_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, portrait = tmp_path / "a.mp4", bundled.portraits()[0]
    clip = short_clip(tmp_path / "clip.mp4", frames=4, sound=None)
    outside = networks("animate-anyone")
    words = [
        "generate", portrait, "-o", out, "-c", converted()["animate-anyone"], "--video", clip, "--size", 64,
        72, "--steps", 1, "--clip-vision", outside.clip_vision, "--vae", outside.vae, "--device", "cpu",
    ]  # fmt: skip
    assert main([str(word) for word in words]) == OK
    assert read_frames(out).shape == (4, 72, 64, 3)
    assert "is for people" in capsys.readouterr().err


def test_the_bundled_weights_have_one_size(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="64 x 64 was asked for, but 'cyberhost-tiny' works at 96 x 128"):
        made(tmp_path / "a.mp4", bundled.CHECKPOINT, sound=voice(), size=SIZE)


def short_clip(path: Path, *, frames: int, sound: Sound | None, start: int = 40, fps: float = 25.0) -> Path:
    """Some frames of the bundled clip."""
    pictures = read_frames(CLIP)[start : start + frames]
    with VideoWriter(path, fps=fps, height=128, width=96, sound=sound) as writer:
        writer.write(pictures)
    return path


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
