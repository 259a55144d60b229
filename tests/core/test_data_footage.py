"""Real clips: what a manifest lists comes into both stores as it is, and what cannot be used is said."""

import json
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.cli.main import main
from cyberhost_core.controls.audio_windows import interpolate_chunks_to_fps
from cyberhost_core.controls.hand_clarity import NEUTRAL_ABSOLUTE, hand_clarity
from cyberhost_core.controls.pose_file import PoseTrack, load_pose_track, save_pose_track
from cyberhost_core.controls.regions import hand_crops, hands_seen
from cyberhost_core.data.encode import Encoder
from cyberhost_core.data.footage import FootageFormat, Listener, Stores, prepare_footage, read_footage
from cyberhost_core.data.framing import Framing
from cyberhost_core.data.gesture_store import GestureClips
from cyberhost_core.data.manifest import (
    ManifestEntry,
    ManifestError,
    holding_out,
    of_split,
    read_manifest,
    write_manifest,
)
from cyberhost_core.data.manifest_making import make_manifest
from cyberhost_core.data.store import PreparedVideos
from cyberhost_core.errors import ConfigError, CyberHostError, MediaError
from cyberhost_core.hands.mixing import absent
from cyberhost_core.hands.parameters import HandParameters
from cyberhost_core.hands.poses import hand_points, pose_from_parameters
from cyberhost_core.hands.track import HandTrack, load_hand_track, save_hand_track
from cyberhost_core.media.audio import Sound
from cyberhost_core.media.video import VideoWriter, read_frames
from cyberhost_core.perception.face_identity import FaceIdentity
from cyberhost_core.perception.hearing import MatchedSpeech
from cyberhost_core.perception.pose import PoseDetector
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import FPS, HEIGHT, WIDTH, PuppetVideo, render_video
from cyberhost_core.types import PACKED_POINTS, Pose
from cyberhost_core.units import SPEECH_RATE_HZ

FRAMES = 12
TO = FootageFormat(HEIGHT, WIDTH, float(FPS))


class Loudness:
    """Hears two numbers in every 20 ms: how loud it is, and how loud high pitches are."""

    size = 2

    def extract_chunks(self, wave_T) -> Iterator[torch.Tensor]:
        steps = np.asarray(wave_T)[: len(wave_T) // 320 * 320].reshape(-1, 320)
        yield torch.from_numpy(np.stack([steps.std(axis=1), np.diff(steps).std(axis=1)], axis=1))


LISTENER = Listener("wav2vec2", MatchedSpeech(Loudness()))


class Recorded:
    """Gives a pose as it was recorded, one picture after the other."""

    def __init__(self, pose: Pose) -> None:
        self.pose, self.done = pose, 0

    def detect(self, images_FYXC: np.ndarray) -> Pose:
        self.done += len(images_FYXC)
        return self.pose[self.done - len(images_FYXC) : self.done]


def silent(_done: int, _total: int) -> None:
    """Say nothing."""


def refuse(path: Path, error: CyberHostError) -> None:
    raise AssertionError(f"{path} was left out: {error}")


def write_clip(path: Path, video: PuppetVideo, *, fps: float = FPS, sound: bool = True) -> None:
    heard = Sound(video.wave_T[None], SPEECH_RATE_HZ) if sound else None
    with VideoWriter(path, fps=fps, height=HEIGHT, width=WIDTH, sound=heard) as writer:
        writer.write(video.frames_FYXC)


@pytest.fixture(scope="module")
def videos() -> list[PuppetVideo]:
    utterances = bundled_utterances("held_out")
    return [
        render_video(seed, utterance=utterances[number], performance_seed=number, frames=FRAMES)
        for number, seed in enumerate((1_000_014, 1_000_026))
    ]


@pytest.fixture(scope="module")
def detected(tmp_path_factory, videos) -> Path:
    """A manifest of two clips that the bundled detector looked at; tests copy it before they break it."""
    folder = tmp_path_factory.mktemp("clips")
    for number, video in enumerate(videos):
        write_clip(folder / f"clip{number}.mp4", video)
    detector = PoseDetector(bundled.require(bundled.POSE_NETWORK))
    make_manifest(
        folder,
        folder / "manifest.jsonl",
        detector=detector,
        held_out_every=2,
        say=silent,
        leave_out=refuse,
    )
    return folder / "manifest.jsonl"


@pytest.fixture(scope="module")
def stores(tmp_path_factory, detected) -> tuple[PreparedVideos, GestureClips]:
    folder = tmp_path_factory.mktemp("stores")
    torch.manual_seed(0)
    encoder = Encoder(
        TinyVAE(TinyVAEConfig(latent_channels=16)).eval(), FaceIdentity(bundled.require(bundled.FACE_NETWORK))
    )
    prepare_footage(
        read_manifest(detected),
        Stores(videos=(folder / "videos", encoder), gestures=folder / "gestures"),
        listener=LISTENER,
        to=TO,
        say=silent,
    )
    return PreparedVideos(folder / "videos"), GestureClips(folder / "gestures")


@pytest.fixture
def broken(tmp_path, detected):
    """A copy of the clips, of which one thing is changed: fields of line 2."""
    for path in detected.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    lines = detected.read_text().splitlines()

    def change(**fields) -> Path:
        path = tmp_path / "manifest.jsonl"
        path.write_text("\n".join([lines[0], "", json.dumps(json.loads(lines[1]) | fields)]))
        return path

    return change


def test_two_videos_become_what_both_trainers_read(videos, stores):
    """Keypoints within 2 px of the puppets' own, also those of the hand parameters; sound as it was."""
    prepared, gestures = stores
    assert prepared.index.ids == gestures.index.ids == ("00001_clip0", "00002_clip1")
    for truth, video, gesture in zip(videos, prepared, gestures, strict=True):
        assert len(video) == len(gesture) == FRAMES and gesture.parameters.fps == FPS
        seen = truth.pose.packed_FKC()[..., 2] > 0
        away = np.linalg.norm((video.pose.packed_FKC() - truth.pose.packed_FKC())[..., :2], axis=-1)
        assert np.median(away[seen]) < 2
        true = np.stack([truth.pose.left_hand_FKC, truth.pose.right_hand_FKC], axis=1)[..., :2]
        ours = hand_points(video.hands, height=HEIGHT, width=WIDTH)[..., :2]
        assert np.median(np.linalg.norm(ours - true, axis=-1)[video.hands.valid_FH]) < 2
        assert video.hands.valid_FH.mean() > 0.8 and 0.3 < video.hand_confidence_FH.mean() <= 1
        np.testing.assert_array_equal(video.hands.vectors_FD, gesture.parameters.vectors_FD)
        assert (video.hands.offset_FD[:, 0] == 1).all()
        wanted = interpolate_chunks_to_fps(
            Loudness().extract_chunks(truth.wave_T), frames=FRAMES, fps=FPS
        ).numpy()
        heard = video.audio_FD.astype(np.float32)
        assert np.corrcoef(heard[:-1, 0], wanted[:-1, 0])[0, 1] > 0.98  # AAC keeps levels
        np.testing.assert_array_equal(heard, gesture.audio_FD.astype(np.float32))
    different = stores[0][0].latents_FCHW.astype(np.float32) - stores[0][1].latents_FCHW
    assert np.abs(different).mean() > 0.01


def test_the_stores_feed_a_step_of_both_trainings(stores, tmp_path):
    from cyberhost_core.conditioners.sound import Sound
    from cyberhost_core.systems.emo2 import tiny
    from cyberhost_core.training.batches import BatchMaker, SamplingConfig
    from cyberhost_core.training.gestures.recipes import read_gesture_recipe
    from cyberhost_core.training.gestures.run import gesture_trainer

    prepared, gestures = stores
    spec = tiny().changing(Sound, lambda sound: sound.derive(feature_dim=2))
    batch = BatchMaker(prepared, spec, SamplingConfig(clips=2), frames=1, seed=0)[0]
    assert torch.isfinite(batch.latents).all() and batch.latents.shape[0] == 2
    recipe = read_gesture_recipe("tiny", audio_dim=2, form="hands")
    small = recipe.model.transformer.derive(width=16, blocks=1, heads=2, frames=16)
    recipe = recipe.derive(model=recipe.model.derive(transformer=small), loop=recipe.loop.derive(workers=0))
    trainer = gesture_trainer(recipe, gestures, out=tmp_path / "run")
    losses = []
    trainer.run(until=1, report=lambda _step, values: losses.append(values))
    assert len(losses) == 1 and all(np.isfinite(value) for value in losses[0].values())


def test_the_manifest_lists_relative_paths_and_splits(detected):
    first, second = read_manifest(detected)
    assert first.entry == ManifestEntry(
        video="clip0.mp4", hands="clip0.hands.safetensors", keypoints="clip0.pose.safetensors"
    )
    assert (first.entry.split, second.entry.split) == ("train", "held_out")
    assert of_split([first, second], "held_out") == [second]
    with pytest.raises(ManifestError, match=r"None of the 1 clips in .*split 'held_out'"):
        of_split([first], "held_out")


def test_tracks_that_lie_there_are_kept(broken, tmp_path):
    """A second look asks no detector; without its hands file, a clip gets the same hands fitted again."""
    broken()
    track = load_hand_track(tmp_path / "clip1.hands.safetensors")
    (tmp_path / "clip1.hands.safetensors").unlink()
    before = (tmp_path / "clip0.hands.safetensors").read_bytes()
    nobody = Recorded(track.pose)
    entries = make_manifest(tmp_path, tmp_path / "again.jsonl", detector=nobody, say=silent, leave_out=refuse)
    assert [entry.video for entry in entries] == ["clip0.mp4", "clip1.mp4"] and nobody.done == 0
    assert (tmp_path / "clip0.hands.safetensors").read_bytes() == before
    again = load_hand_track(tmp_path / "clip1.hands.safetensors")
    np.testing.assert_allclose(again.parameters.vectors_FD, track.parameters.vectors_FD, atol=1e-6)


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    entries = [
        ManifestEntry(
            video="a b.mp4", audio="ä.wav", hands="h.json", keypoints="k.safetensors", style="dance"
        ),
        ManifestEntry(video="/x/v.mp4", hands="h", keypoints="k", split="held_out"),
    ]
    write_manifest(tmp_path / "m.jsonl", entries)
    text = (tmp_path / "m.jsonl").read_text(encoding="utf-8")
    assert [ManifestEntry.parse(line) for line in text.splitlines()] == entries
    with pytest.raises(ManifestError, match=r"m\.jsonl, line 1, 'video': there is no file .*a b\.mp4"):
        read_manifest(tmp_path / "m.jsonl")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lists no clip, but at least 1"),
        ("{", r"line 1: Invalid JSON"),
        ('{"video": "a.mp4"}', r"line 1, 'hands': Field required"),
        (
            '\n\n{"video": 3, "hands": "h", "keypoints": "k"}',
            r"line 3, 'video': Input should be a valid string",
        ),
        ('{"video": "a", "hands": "h", "keypoints": "k", "mask": "m"}', r"line 1, 'mask': Extra inputs"),
        ('{"video": "a", "hands": "h", "keypoints": "k", "split": "test"}', r"line 1, 'split': .*'held_out'"),
        (
            '{"format": "x", "video": "a", "hands": "h", "keypoints": "k"}',
            r"line 1, 'format': .*cyberhost-clip-1",
        ),
    ],
)
def test_a_line_that_is_no_clip_is_named_with_its_field(tmp_path, text, words):
    path = tmp_path / "m.jsonl"
    path.write_text(text)
    with pytest.raises(ManifestError, match=words) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value) and "docs/data.md" in str(caught.value)


def test_a_manifest_that_is_no_text_or_not_there_is_said(tmp_path):
    (tmp_path / "m.jsonl").write_bytes(b"\xff\xfe\x00")
    for name in ("m.jsonl", "none.jsonl"):
        with pytest.raises(ManifestError, match=r"cannot be read .*UTF-8"):
            read_manifest(tmp_path / name)


def refused(path: Path, to: FootageFormat = TO) -> str:
    """Read all clips; give the one sentence that comes instead."""
    with pytest.raises(ManifestError) as caught:
        for clip in read_manifest(path):
            read_footage(clip, to)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_bad_file_is_told_with_line_and_field(broken, tmp_path, videos):
    track = load_hand_track(tmp_path / "clip1.hands.safetensors")
    points = load_pose_track(tmp_path / "clip1.pose.safetensors")
    save_hand_track(tmp_path / "bare.json", HandTrack(track.pose, fps=track.fps, source="a test"))
    save_hand_track(tmp_path / "short.safetensors", track[:7])
    (tmp_path / "torn.safetensors").write_bytes((tmp_path / "clip1.hands.safetensors").read_bytes()[:300])
    save_pose_track(tmp_path / "slow.safetensors", PoseTrack(points.pose, fps=24.0, source="a test"))
    wide = points.pose.scaled(height=HEIGHT, width=2 * WIDTH)
    save_pose_track(tmp_path / "wide.safetensors", PoseTrack(wide, fps=points.fps, source="a test"))
    nowhere = Pose.from_packed(points.pose.packed_FKC() * np.nan, height=HEIGHT, width=WIDTH)
    save_pose_track(tmp_path / "nan.safetensors", PoseTrack(nowhere, fps=points.fps, source="a test"))
    write_clip(tmp_path / "slow.mp4", videos[1], fps=24)
    write_clip(tmp_path / "mute.mp4", videos[1], sound=False)
    (tmp_path / "text.mp4").write_text("no video")
    for fields, words in (
        ({"hands": "bare.json"}, "'hands': The hand track has keypoints alone"),
        ({"hands": "short.safetensors"}, "'hands': The file has 7 frames, but the video's 12 were expected"),
        ({"hands": "torn.safetensors"}, "cannot be read as safetensors"),
        ({"hands": "none.json"}, "'hands': there is no file"),
        ({"keypoints": "slow.safetensors"}, "'keypoints': The rate of the keypoints is 24 frames per second"),
        ({"keypoints": "wide.safetensors"}, "canvas is 192 x 128 px, but the video's 96 x 128 px"),
        (
            {"keypoints": "nan.safetensors"},
            "'body', has the shape [12, 18, 3] or values that are not numbers",
        ),
        ({"keypoints": "clip1.hands.safetensors"}, "is no pose file: its format is 'cyberhost-hand-track-1'"),
        ({"video": "slow.mp4"}, "'video': The rate of the video is 24 frames per second, but the store's 25"),
        ({"video": "text.mp4"}, "'video': "),
        ({"video": "mute.mp4"}, "'audio': "),
        ({"audio": "text.mp4"}, "'audio': "),
    ):
        message = refused(broken(**fields))
        assert "manifest.jsonl, line 3, " in message and words in message, message


def test_a_sound_that_ends_early_is_another_sound(broken, tmp_path):
    with wave.open(str(tmp_path / "short.wav"), "wb") as file:
        file.setparams((1, 2, SPEECH_RATE_HZ, 0, "NONE", ""))
        file.writeframes(bytes(2 * SPEECH_RATE_HZ // 10))
    assert "line 3, 'audio': The sound lasts 0.10 s, but the video's 0.48 s" in refused(
        broken(audio="short.wav")
    )


def test_pictures_keypoints_and_hands_are_framed_alike():
    """White dots at keypoints lie after cropping where the moved keypoints say; hands move with them."""
    rng = np.random.default_rng(0)
    for rows, columns in ((128, 400), (300, 96), (256, 192)):
        framing = Framing(rows, columns, height=64, width=48)
        places = np.array([columns / 2, 30]) + rng.uniform(-20, 20, (5, 2))
        for place in places:
            frame = np.zeros((rows, columns, 3), np.uint8)
            x, y = place.astype(int)
            frame[y - 4 : y + 5, x - 4 : x + 5] = 255
            packed = np.zeros((1, PACKED_POINTS, 3), np.float32)
            packed[0, 0] = x + 0.5, y + 0.5, 1
            moved = framing.pose(Pose.from_packed(packed, height=rows, width=columns)).body_FKC[0, 0]
            light = framing.pictures(frame[None])[0, :, :, 0].astype(float)
            at_y, at_x = (np.arange(side) + 0.5 for side in light.shape)
            centre = (light.sum(0) @ at_x / light.sum(), light.sum(1) @ at_y / light.sum())
            np.testing.assert_allclose(moved[:2], centre, atol=0.3)
    turns = np.zeros((3, 2, 16, 3))
    wrists = np.tile([[[0.45, 0.3, 0.1], [0.55, 0.3, 0.2]]], (3, 1, 1))
    offset = np.tile([1, 0.52, 0.2, 0.1, 0, 0, 0, 0], (3, 1))
    hands = HandParameters.from_axis_angles(turns, wrists, fps=25, source="a test", offset_FD=offset)
    framing = Framing(240, 400, height=64, width=48)
    before = pose_from_parameters(hands, height=240, width=400)
    after = pose_from_parameters(framing.hands(hands), height=64, width=48)
    wanted = framing.pose(before)
    kept = (wanted.left_hand_FKC[..., 2] > 0) & (after.left_hand_FKC[..., 2] > 0)
    assert kept.any()
    np.testing.assert_allclose(after.left_hand_FKC[kept], wanted.left_hand_FKC[kept], atol=0.01)
    point = np.zeros((3, PACKED_POINTS, 3), np.float32)
    point[:, 0] = 0.52 * 400, 0.2 * 240, 1
    x, y, _ = framing.pose(Pose.from_packed(point, height=240, width=400)).body_FKC[0, 0]
    np.testing.assert_allclose(
        framing.hands(hands).offset_FD[0], [1, x / 48, y / 64, 0.1, 0, 0, 0, 0], atol=1e-5
    )


def framed_clip(folder: Path, video: PuppetVideo, *, left: int, right: int, scale: int = 1) -> Path:
    """Film a puppet larger, with empty room at its sides, and list the one clip in a manifest."""
    wide = np.pad(video.frames_FYXC, ((0, 0), (0, 0), (left, right), (0, 0)), mode="edge")
    frames = wide.repeat(scale, axis=1).repeat(scale, axis=2)
    rows, columns = frames.shape[1:3]
    points = video.pose.packed_FKC() + np.array([left, 0, 0])
    pose = Pose.from_packed(points, height=HEIGHT, width=WIDTH + left + right)
    folder.mkdir(exist_ok=True)
    sound = Sound(video.wave_T[None], SPEECH_RATE_HZ)
    with VideoWriter(folder / f"{folder.name}.mp4", fps=FPS, height=rows, width=columns, sound=sound) as file:
        file.write(frames)
    make_manifest(
        folder,
        folder / "manifest.jsonl",
        detector=Recorded(pose.scaled(height=rows, width=columns)),
        say=silent,
        leave_out=refuse,
    )
    return folder / "manifest.jsonl"


def test_clips_of_other_proportions_keep_about_theirs_in_one_store(tmp_path, videos):
    """A wide clip stays wide, with its hands where they are seen, and makes batches of its own."""
    from cyberhost_core.conditioners.sound import Sound as Heard
    from cyberhost_core.systems.emo2 import tiny
    from cyberhost_core.training.batches import BatchMaker, SamplingConfig

    tall, wide = (
        framed_clip(tmp_path / name, video, left=room, right=room)
        for name, video, room in zip(("tall", "wide"), videos, (0, 48), strict=True)
    )
    torch.manual_seed(0)
    network = FaceIdentity(bundled.require(bundled.FACE_NETWORK))
    encoder = Encoder(TinyVAE(TinyVAEConfig(latent_channels=16)).eval(), network)
    prepare_footage(
        [*read_manifest(wide), *read_manifest(tall)],
        Stores(videos=(tmp_path / "store", encoder)),
        listener=LISTENER,
        to=FootageFormat(HEIGHT, WIDTH, float(FPS), unit=16),
        say=silent,
    )
    store = PreparedVideos(tmp_path / "store")
    assert {bucket.ids[0][6:]: bucket.size for bucket in store.index.buckets} == {
        "tall": (128, 96),
        "wide": (96, 128),
    }
    for video in store:
        assert video.latents_FCHW.shape[2:] == (video.pose.height // 8, video.pose.width // 8)
        seen = np.stack([video.pose.left_hand_FKC, video.pose.right_hand_FKC], axis=1)
        ours = hand_points(video.hands, height=video.pose.height, width=video.pose.width)[..., :2]
        both = video.hands.valid_FH & (seen[..., 2] > 0).all(axis=-1)
        assert both.any()
        assert np.median(np.linalg.norm(ours - seen[..., :2], axis=-1)[both]) < 2
    spec = tiny().changing(Heard, lambda sound: sound.derive(feature_dim=2)).derive(any_size=True)
    made = BatchMaker(store, spec, SamplingConfig(clips=2), frames=1, seed=0)
    shapes = {made[step].latents.shape[3:] for step in range(12)}
    assert shapes == {(16, 12), (12, 16)}


def test_hand_clarity_is_that_of_the_frames_as_they_were_filmed(tmp_path, videos):
    """Filmed at twice the store's size, hands have the film's scores, not those of what was made of it."""
    (clip,) = read_manifest(framed_clip(tmp_path / "large", videos[0], left=0, right=0, scale=2))
    footage = read_footage(clip, TO)
    filmed = read_frames(clip.path("video"))
    pose = load_pose_track(clip.path("keypoints")).pose
    assert torch.equal(footage.clarity_F4, hand_clarity(filmed, pose))
    resized = hand_clarity(footage.frames_FYXC, footage.pose)
    assert (footage.clarity_F4[:, :2] - resized[:, :2]).abs().mean() > 0.5


def test_a_hand_that_the_crop_cuts_off_has_no_score_of_its_own(tmp_path, videos):
    manifest = framed_clip(tmp_path / "aside", videos[0], left=96, right=0)  # the crop keeps the empty half
    (clip,) = read_manifest(manifest)
    footage = read_footage(clip, TO)
    cut_off = ~hands_seen(footage.pose)
    assert cut_off.all(axis=0).any(), "a hand is out of the picture all the time"
    never = np.flatnonzero(cut_off.all(axis=0))
    assert (footage.clarity_F4[:, never] == NEUTRAL_ABSOLUTE).all()
    assert (footage.clarity_F4[:, never + 2] == 1).all()


def test_every_twelfth_frame_with_a_face_may_be_the_reference_with_crops_of_its_own(videos):
    """A video of three different takes, whose first frames hide the face."""
    frames = np.concatenate([video.frames_FYXC for video in (videos[0], videos[1], videos[0])])
    points = np.concatenate([video.pose.packed_FKC() for video in (videos[0], videos[1], videos[0])])
    points[:5, 18 : 18 + 68, 2] = 0
    pose = Pose.from_packed(points, height=HEIGHT, width=WIDTH)
    torch.manual_seed(0)
    vae = TinyVAE(TinyVAEConfig()).eval()
    network = FaceIdentity(bundled.require(bundled.FACE_NETWORK))
    made = Encoder(vae, network).encode(
        frames,
        pose,
        hands=absent(36, fps=float(FPS), source="test"),
        detected=pose,
        audio_FD=torch.zeros(36, 2),
        clarity_F4=torch.ones(36, 4),
    )
    assert made.reference_R.tolist() == [5, 17, 29]
    for place, frame in enumerate(made.reference_R):
        crops = (hand_crops(frames[frame], pose[frame : frame + 1]).images_NCHW + 1) * 127.5
        np.testing.assert_allclose(made.hand_crops_RHCYX[place], crops.numpy(), atol=0.51)
        np.testing.assert_allclose(
            made.face_vectors_RD[place],
            network.embed(frames[frame], pose.face_FKC[frame : frame + 1]),
            atol=1e-6,
        )
    again = vae.decode(torch.from_numpy(made.latents_FCHW[5:6].astype(np.float32)))
    pixels = ((again + 1) * 127.5).permute(0, 2, 3, 1).detach().numpy()
    squared = np.square(pixels - frames[5].astype(np.float64)).mean()
    assert made.picture_db == pytest.approx(10 * np.log10(255**2 / squared), abs=0.05)


def entry(video: str, *, identity: str | None = None, source: str | None = None) -> ManifestEntry:
    return ManifestEntry(video=video, hands="h", keypoints="k", identity=identity, source=source)


def test_all_clips_of_a_person_or_a_recording_lie_on_one_side():
    entries = [
        entry("1.mp4", identity="anna"),
        entry("2.mp4", source="talk"),
        entry("3.mp4", identity="ben", source="talk"),
        entry("4.mp4", source="talk"),
        entry("5.mp4"),
        entry("6.mp4", identity="anna", source="other"),
    ]
    for every, held_out in ((0, []), (1, [1, 2, 3, 4, 5, 6]), (2, [2, 4, 5]), (3, [3]), (9, [])):
        split = [each.split for each in holding_out(entries, every=every)]
        assert [number for number, side in enumerate(split, start=1) if side == "held_out"] == held_out


def test_identities_in_a_manifest_are_kept_and_decide_the_split(broken, tmp_path):
    """Somebody wrote that both clips show one person, so that the second look holds out both or none."""
    manifest = broken(identity="anna")
    lines = [json.loads(line) for line in manifest.read_text().splitlines() if line]
    lines[0] |= {"identity": "anna", "split": "held_out"}
    manifest.write_text("\n".join(json.dumps(line) for line in lines))
    nobody = Recorded(load_pose_track(tmp_path / "clip1.pose.safetensors").pose)
    for every, split in ((1, "held_out"), (2, "train")):
        entries = make_manifest(
            tmp_path, manifest, detector=nobody, held_out_every=every, say=silent, leave_out=refuse
        )
        assert [(each.identity, each.split) for each in entries] == [("anna", split)] * 2
    parted = [line | {"split": side} for line, side in zip(lines, ("train", "held_out"), strict=True)]
    manifest.write_text("\n".join(map(json.dumps, parted)))
    with pytest.raises(ManifestError, match=r"line 2, 'split': the identity 'anna' is 'held_out' here and '"):
        read_manifest(manifest)


def test_clips_that_one_recording_was_cut_into_are_known_by_their_names(broken, tmp_path):
    broken()
    for number in range(2):
        for ending in ("mp4", "pose.safetensors", "hands.safetensors"):
            (tmp_path / f"clip{number}.{ending}").rename(tmp_path / f"talk-Scene-00{number}.{ending}")
    nobody = Recorded(load_pose_track(tmp_path / "talk-Scene-000.pose.safetensors").pose)
    entries = make_manifest(
        tmp_path, tmp_path / "m.jsonl", detector=nobody, held_out_every=1, say=silent, leave_out=refuse
    )
    assert [(each.source, each.split) for each in entries] == [("talk", "held_out")] * 2


def test_a_pose_file_comes_back_and_a_damaged_one_is_refused(tmp_path, videos):
    path = tmp_path / "p.safetensors"
    save_pose_track(path, PoseTrack(videos[0].pose, fps=29.97, source="a test"))
    back = load_pose_track(path)
    np.testing.assert_array_equal(back.pose.packed_FKC(), videos[0].pose.packed_FKC())
    assert (back.fps, back.source, back.pose.height, back.pose.width) == (29.97, "a test", HEIGHT, WIDTH)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(MediaError, match="cannot be read as safetensors"):
        load_pose_track(path)
    with pytest.raises(MediaError, match="There is no pose file"):
        load_pose_track(tmp_path / "none")


def test_videos_that_cannot_be_used_are_left_out_and_told(tmp_path, videos):
    """One without anybody, one that is no video, one without sound: its sound may lie beside it."""
    write_clip(tmp_path / "a.mp4", videos[0], sound=False)
    (tmp_path / "b.mov").write_text("no video")
    write_clip(tmp_path / "c.mp4", videos[0])
    nobody = videos[0].pose.packed_FKC() * (1, 1, 0)
    seen = np.concatenate([videos[0].pose.packed_FKC(), nobody])
    told: dict[str, str] = {}

    def make(order: str) -> list[ManifestEntry]:
        told.clear()
        parts = {"p": seen[:FRAMES], "n": seen[FRAMES:]}
        packed = np.concatenate([parts[part] for part in order])
        return make_manifest(
            tmp_path,
            tmp_path / "m.jsonl",
            detector=Recorded(Pose.from_packed(packed, height=HEIGHT, width=WIDTH)),
            style="singing",
            say=silent,
            leave_out=lambda path, error: told.update({path.name: str(error)}),
        )

    (only,) = make("p")
    assert (only.video, only.style, only.audio) == ("c.mp4", "singing", None)
    assert "has no sound, and no file of its name" in told["a.mp4"] and "b.mov" in told
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "c.pose.safetensors").unlink()
    (only,) = make("pn")
    assert (only.video, only.audio) == ("a.mp4", "a.wav") and "No person was found" in told["c.mp4"]
    (tmp_path / "a.pose.safetensors").unlink()
    with pytest.raises(ManifestError, match="None of the 3 videos"):
        make("nn")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"holds no video \(\.mp4"):
        make_manifest(
            tmp_path / "empty",
            tmp_path / "m.jsonl",
            detector=Recorded(videos[0].pose),
            say=silent,
            leave_out=refuse,
        )


@pytest.mark.parametrize(
    ("height", "width", "fps", "unit"),
    [(100, 96, 25.0, 0), (0, 96, 25.0, 0), (128, 96, 0.0, 0), (128, 96, 25.0, 64)],
)
def test_a_format_that_no_latents_fit_is_refused(height, width, fps, unit):
    with pytest.raises(ConfigError, match="asked for"):
        FootageFormat(height, width, fps, unit)


def test_the_commands_say_in_one_sentence_what_is_missing(tmp_path, capsys):
    (tmp_path / "m.jsonl").write_text("{}")
    for command, words in (
        (["footage", str(tmp_path / "m.jsonl")], "No store was named"),
        (
            ["footage", str(tmp_path / "m.jsonl"), "--out", str(tmp_path / "s"), "--buckets", "64"],
            "both sides must be multiples of 64; take a width of 128 and a height of 128",
        ),
        (
            ["footage", str(tmp_path / "m.jsonl"), "--out", str(tmp_path / "s")],
            "line 1, 'video': Field required",
        ),
        (["manifest", str(tmp_path)], "holds no video"),
    ):
        assert main(["prepare", *command]) == 2
        assert words in capsys.readouterr().err
