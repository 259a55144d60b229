"""Hand tracks on a real ComfyUI: every driver, change and consumer, and one sentence for bad input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from cyberhost_core.checkpoints.gestures import GESTURES_FORMAT
from cyberhost_core.hands.parameters import LIMB_POINTS
from cyberhost_core.hands.poses import pose_from_parameters
from cyberhost_core.hands.track import HandTrack, hand_tracks, load_hand_track, save_hand_track
from cyberhost_core.media.audio import read_sound
from cyberhost_core.media.video import read_frames

from ..core.foreign_hands import FLAT, known_hands, smplx_arrays, written
from .gesture_models import fitted_example, write_gesture_model
from .prompts import Prompt, complaint, heard, node, portrait
from .server import Client
from .test_cancel import cancelled, reported, works

pytestmark = pytest.mark.host

EXAMPLE = "puppet_gesture.json (bundled)"
FRAMES = 112  # of the bundled track, at 25 per second
VOICE_FRAMES = 78  # ceil of train_08's length at 25 per second
Run = Callable[..., HandTrack]


def from_file(file: str = EXAMPLE) -> dict:
    return node("CyberHostHandTrackFromFile", file=file)


def edited(source: str = "track", **changed: object) -> dict:
    values = {
        "start": 0.0,
        "end": 0.0,
        "mirror": False,
        "amplitude_left": 1.0,
        "amplitude_right": 1.0,
        "speed": 1.0,
        "frames": 0,
        "when_short": "hold last",
    }
    return node("CyberHostHandTrackEdit", hand_track=[source, 0], **(values | changed))


def keyframes(**changed: object) -> dict:
    values = {
        "pose": ["track", 1],
        "poses": "0, 30, 60",
        "times": "0, 0.8, 2",
        "easing": "smooth",
        "fps": 25.0,
        "frames": 0,
        "when_short": "hold last",
    }
    return node("CyberHostHandTrackFromKeyframes", **(values | changed))


def maps(source: str = "track", **changed: object) -> dict:
    values = {"width": 96, "height": 128, "frames": 0, "when_short": "hold last", "fps": 25.0}
    return node("CyberHostHandMaps", hand_track=[source, 0], **(values | changed))


def motion(model: str, *, fps: float = 25.0, **changed: object) -> Prompt:
    values = {"seed": 0, "style": "speaking", "amplitude_left": 1.0, "amplitude_right": 1.0}
    voice = node("CyberHostExample", portrait="puppet_0.png", voice="train_08.ogg")
    inputs = {"audio_features": ["features", 0], "model": model} | values | changed
    return heard(["example", 1], fps=fps, example=voice) | {"track": node("CyberHostHandMotion", **inputs)}


@pytest.fixture
def run(host: Client) -> Run:
    """Run up to a hand track, saved by its own node, and read it."""

    def saved(prompt: Prompt, source: str = "track", *, form: str = "safetensors") -> HandTrack:
        keep = node(
            "CyberHostSaveHandTrack", hand_track=[source, 0], filename_prefix="tests/hands", format=form
        )
        files = host.files(host.run({**prompt, "keep": keep}))
        (path,) = [path for path in files if path.suffix == f".{form}"]
        return load_hand_track(path)

    return saved


@pytest.fixture(scope="module")
def gestures(host: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("gestures")
    return host.add_model("cyberhost", write_gesture_model(folder / "restless.safetensors"))


@pytest.fixture(scope="module")
def fitted(host: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A track that has hand parameters, in the input folder; 40 frames."""
    path = tmp_path_factory.mktemp("tracks") / "fitted.safetensors"
    save_hand_track(path, fitted_example())
    return put(host, path)


def put(host: Client, path: Path) -> str:
    shutil.copy(path, host.server.folder / "input" / path.name)
    return path.name


def changed_track(
    host: Client, name: str, change: Callable[[dict[str, np.ndarray]], None], *, to: Path
) -> str:
    """A safetensors track of the input folder once more, with other content."""
    source = host.server.folder / "input" / name
    arrays = load_file(source)
    with safe_open(source, framework="np") as file:
        metadata = file.metadata()
    change(arrays)
    save_file(arrays, to, metadata)
    return put(host, to)


def lacking(words: list[str], said: str) -> list[str]:
    """Words that a complaint should hold; it must be one sentence besides."""
    assert said.count(";") >= 1 or "expected" in said, said
    return [word for word in words if word not in said]


# Hands from sound


def test_hands_made_from_a_voice_last_as_long_and_the_seed_decides(run: Run, gestures: str):
    first = run(motion(gestures))
    assert (len(first), first.fps, first.source) == (VOICE_FRAMES, 25.0, "emo2")
    assert first.parameters is not None
    again, other = run(motion(gestures, steps=20)), run(motion(gestures, seed=1))
    assert np.array_equal(first.pose.left_hand_FKC, again.pose.left_hand_FKC)
    assert not np.allclose(first.pose.left_hand_FKC, other.pose.left_hand_FKC)


def test_hands_take_the_portraits_canvas_size_and_arms(run: Run, gestures: str):
    bare = run(motion(gestures))
    assert (bare.pose.width, bare.pose.height) == (768, 1024)
    prompt = portrait() | motion(gestures, reference_pose=["detect", 0])
    made = run(prompt)
    assert (made.pose.width, made.pose.height) == (96, 128)
    assert (made.pose.body_FKC[:, [2, 5], 2] == 1).all()  # its shoulders
    assert made.parameters is not None
    assert made.parameters.offset_FD[0, 0] == 1  # the model was told where they are
    assert made.parameters.sizes_frac_FH[0] == pytest.approx([0.22, 0.22], abs=0.03)  # puppet_0's hands


def test_one_hand_alone_is_made_and_what_a_model_never_learnt_is_said_at_once(
    host: Client, run: Run, gestures: str
):
    """The model of these tests says of itself, as older files do, that it learnt speaking with both hands."""
    made = run(motion(gestures, hands="left", style="dance"))
    assert made.parameters is not None
    assert made.parameters.valid_FH.tolist() == [[True, False]] * VOICE_FRAMES
    assert not made.pose.right_hand_FKC[..., 2].any()
    said = host.server.log_text()
    assert "never saw the style 'dance' in training (it learnt speaking)" in said
    assert "not of that style. The gesture model never saw one hand alone" in said, "in one notice"
    both = run(motion(gestures, style="dance"))
    np.testing.assert_array_equal(made.pose.left_hand_FKC, both.pose.left_hand_FKC)


def test_arms_that_a_model_makes_are_drawn_and_not_found_from_the_wrists(
    host: Client, run: Run, gestures: str, tmp_path: Path
):
    path = write_gesture_model(tmp_path / "with_arms.safetensors", form="keypoints")
    model = host.add_model("cyberhost", path)
    made, found = (run(portrait() | motion(name, reference_pose=["detect", 0])) for name in (model, gestures))
    assert made.parameters is not None and made.parameters.limbs_FKC is not None
    shown = pose_from_parameters(made.parameters, height=128, width=96).body_FKC[:, LIMB_POINTS]
    np.testing.assert_allclose(made.pose.body_FKC[:, LIMB_POINTS], shown, atol=1e-3)
    assert found.parameters is not None and found.parameters.limbs_FKC is None
    drawn = portrait() | motion(model, reference_pose=["detect", 0])
    with_portrait, without = (
        pictures(host, drawn | {"maps": maps(**portraits)}, "maps", 2)
        for portraits in ({"reference_pose": ["detect", 0]}, {})
    )
    np.testing.assert_array_equal(with_portrait, without, err_msg="the portrait's arms take no part")
    assert with_portrait.any()


def test_a_voice_at_another_rate_gets_hands_at_that_rate_and_a_notice(host: Client, run: Run, gestures: str):
    made = run(motion(gestures, fps=30.0))
    assert made.fps == 30
    assert len(made) == pytest.approx(VOICE_FRAMES * 30 / 25, abs=1.2)
    assert "made at 25 frames per second and moved to 30" in host.server.log_text()


def test_a_model_that_takes_no_picture_does_without(host: Client, run: Run, gestures: str, tmp_path: Path):
    blind = host.add_model("cyberhost", write_gesture_model(tmp_path / "blind.safetensors", image_dim=0))
    assert len(run(motion(blind))) == len(run(motion(gestures)))


def cut(path: Path) -> None:
    path.write_bytes(write_gesture_model(path).read_bytes()[:5000])


def foreign(path: Path) -> None:
    save_file({"weight": np.zeros(3, dtype=np.float32)}, path, {"format": "cyberhost-gestures-0"})


def smaller(path: Path) -> None:
    """Another voice's: features of another width."""
    write_gesture_model(path, audio_dim=96)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (cut, ["cut.safetensors", "cannot be read as safetensors"]),
        (foreign, ["foreign.safetensors", "holds no gesture model", GESTURES_FORMAT]),
        (smaller, ["[78, 384]", "[78, 96] was expected", "speech encoder"]),
    ],
)
def test_a_gesture_model_that_cannot_be_used_is_named(host: Client, tmp_path: Path, make, words):
    path = tmp_path / f"{make.__name__}.safetensors"
    make(path)
    said = complaint(host, motion(host.add_model("cyberhost", path)), "track", 0)
    assert lacking(["CyberHostHandMotion", *words], said) == []


def test_a_portrait_without_shoulders_is_named(host: Client, gestures: str, fitted: str, tmp_path: Path):
    def hide_body(arrays: dict[str, np.ndarray]) -> None:
        arrays["body"][:] = 0

    hidden = changed_track(host, fitted, hide_body, to=tmp_path / "no_body.safetensors")
    prompt = motion(gestures, reference_pose=["portrait", 1]) | {"portrait": from_file(hidden)}
    said = complaint(host, prompt, "track", 0)
    assert lacking(["CyberHostHandMotion", "does not show the person's left shoulder"], said) == []


def test_only_gesture_models_are_offered_and_no_checkpoint_loader_offers_them(host: Client, gestures: str):
    info = host.object_info()
    offered = info["CyberHostHandMotion"]["input"]["required"]["model"]
    checkpoints = info["CyberHostLoad"]["input"]["required"]["checkpoint"]
    assert gestures in choices(offered)
    assert gestures not in choices(checkpoints)


def choices(spec: list) -> list[str]:
    return spec[0] if isinstance(spec[0], list) else spec[1]["options"]


# Hands from elsewhere


@pytest.fixture(scope="module")
def body(host: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a generator of gestures writes, in the input folder."""
    return put(host, written(tmp_path_factory.mktemp("bodies"), smplx_arrays(known_hands(12)), "body.npz"))


def test_hands_of_a_generated_body_are_the_cores(host: Client, run: Run, body: str):
    made = run({"track": node("CyberHostHandTrackFromFile", file=body, hand_mean="included")})
    wanted = load_hand_track(host.server.folder / "input" / body, FLAT)
    assert made.fps == wanted.fps == 30
    np.testing.assert_allclose(made.parameters.vectors_FD, wanted.parameters.vectors_FD, atol=1e-6)
    np.testing.assert_allclose(made.pose.body_FKC, wanted.pose.body_FKC, atol=1e-3)


def test_the_mean_pose_comes_from_a_model_in_its_folder(host: Client, run: Run, body: str, tmp_path: Path):
    model = tmp_path / "means.npz"
    np.savez(model, hands_meanl=np.full(45, 0.1), hands_meanr=np.full(45, -0.1))
    name = host.add_model("cyberhost", model)
    assert name in choices(host.object_info()["CyberHostHandTrackFromFile"]["input"]["optional"]["hand_mean"])
    made = run({"track": node("CyberHostHandTrackFromFile", file=body, hand_mean=name, fps=24.0)})
    flat = run({"track": node("CyberHostHandTrackFromFile", file=body, hand_mean="included")})
    assert made.fps == 24
    assert not np.allclose(made.parameters.vectors_FD, flat.parameters.vectors_FD, atol=0.01)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, ["body.npz does not say whether its finger turns include the hands' mean pose"]),
        ({"hand_mean": "included", "handedness": "own"}, ["was told a handedness, own", "leave it out"]),
    ],
)
def test_what_a_body_leaves_open_is_asked(host: Client, body: str, told: dict, words: list[str]):
    prompt = {"track": node("CyberHostHandTrackFromFile", file=body, **told)}
    assert lacking(["CyberHostHandTrackFromFile", *words], complaint(host, prompt, "track", 1)) == []


# Keyframes, edits, joins


def test_keyframes_are_struck_at_their_times(run: Run):
    (path,) = hand_tracks()
    truth = load_hand_track(path).pose
    made = run({"track": from_file(), "keys": keyframes()}, "keys")
    assert len(made) == 51
    for frame, pose in ((0, 0), (20, 30), (50, 60)):
        for name in ("left_hand_FKC", "right_hand_FKC"):
            got, wanted = getattr(made.pose, name)[frame, :, :2], getattr(truth, name)[pose, :, :2]
            assert np.abs(got - wanted).mean() < 0.3  # px; hands are 28 px long


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"times": "0, 1"}, ["2 keyframe times came for 3 poses"]),
        ({"times": "0, 2, 1"}, ["keyframe times are 0, 2, 1", "later than the one before"]),
        ({"times": "0, soon, 1"}, ["'0, soon, 1' came as keyframe times", "write them like"]),
        ({"poses": "0, 30, 500"}, ["Pose 500 was chosen", "poses 0 to 111"]),
        ({"poses": "0, 0.5, 30"}, ["Pose 0.5 was chosen"]),
        ({"frames": 400, "when_short": "error"}, ["has 51 frames", "400 were expected"]),
    ],
)
def test_keyframes_that_cannot_be_are_named(host: Client, changed, words):
    prompt = {"track": from_file(), "keys": keyframes(**changed)}
    assert lacking(["CyberHostHandTrackFromKeyframes", *words], complaint(host, prompt, "keys", 0)) == []


def test_an_edit_trims_mirrors_calms_hurries_and_loops(run: Run):
    (path,) = hand_tracks()
    whole = load_hand_track(path)
    change = {"start": 1.0, "end": 3.0, "mirror": True, "amplitude_left": 0.0, "speed": 2.0}
    made = run({"track": from_file(), "edit": edited(**change)}, "edit")
    assert len(made) == 25  # 2 s at 25 per second, twice as fast
    assert np.ptp(made.pose.left_hand_FKC[:, 0, :2], axis=0) == pytest.approx([0, 0], abs=0.05)
    rights = whole.pose.left_hand_FKC[25:75, 0, 0]  # in the mirror the left hand is the right one
    assert made.pose.right_hand_FKC[:, 0, 0].max() == pytest.approx(96 - rights.min(), abs=1.5)
    looped = run({"track": from_file(), "edit": edited(frames=300, when_short="loop")}, "edit")
    held = run({"track": from_file(), "edit": edited(frames=300)}, "edit")
    assert len(looped) == len(held) == 300
    assert np.ptp(held.pose.left_hand_FKC[FRAMES:, 0, 0]) == 0
    assert np.ptp(looped.pose.left_hand_FKC[FRAMES:, 0, 0]) > 5


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"frames": 300, "when_short": "error"},
            ["has 112 frames (4.48 s at 25 per second)", "300 were exp"],
        ),
        ({"start": 2.0, "end": 1.0}, ["2 s to 1 s", "lasts 4.48 s"]),
        ({"end": 9.0}, ["0 s to 9 s", "lasts 4.48 s"]),
    ],
)
def test_an_edit_that_cannot_be_is_named(host: Client, changed, words):
    prompt = {"track": from_file(), "edit": edited(**changed)}
    assert lacking(["CyberHostHandTrackEdit", *words], complaint(host, prompt, "edit", 0)) == []


def joined(how: str, *, fade: float = 0.4) -> dict:
    return node(
        "CyberHostHandTrackJoin", first=["track", 0], second=["edit", 0], how=how, fade=fade, weight=0.5
    )


def test_two_tracks_are_joined_one_after_the_other_or_at_once(host: Client, run: Run):
    prompt = {"track": from_file(), "edit": edited(mirror=True)}
    turn = run({**prompt, "join": joined("one after the other")}, "join")
    assert len(turn) == 2 * FRAMES - 10
    blend = run({**prompt, "join": joined("blend")}, "join")
    assert len(blend) == FRAMES
    middle = (blend.pose.left_hand_FKC[:, 0, 0] + blend.pose.right_hand_FKC[:, 0, 0]) / 2
    assert middle == pytest.approx(48, abs=0.2)  # half of a gesture and its mirror image is symmetric
    prompt["edit"] = edited(end=1.0)
    said = complaint(host, {**prompt, "join": joined("blend")}, "join", 0)
    assert lacking(["CyberHostHandTrackJoin", "of 112 frames", "of 25 at 25", "loop or hold"], said) == []
    said = complaint(host, {**prompt, "join": joined("one after the other", fade=2.0)}, "join", 0)
    assert lacking(["A fade of 50 frames", "shorten the fade"], said) == []


# The switch


def test_the_switch_runs_the_chosen_driver_alone(host: Client, run: Run):
    prompt = {
        "track": from_file(),
        "broken": keyframes(times="never"),
        "switch": node(
            "CyberHostHandDriverSwitch", driver="file", file=["track", 0], keyframes=["broken", 0]
        ),
    }
    assert len(run(prompt, "switch")) == FRAMES
    prompt["switch"]["inputs"]["driver"] = "keyframes"
    assert "CyberHostHandTrackFromKeyframes" in complaint(host, prompt, "switch", 0)
    prompt["switch"]["inputs"]["driver"] = "video"
    said = complaint(host, prompt, "switch", 0)
    assert lacking(["CyberHostHandDriverSwitch", "'video'", "Hand Track from Video"], said) == []


# Maps and previews


def pictures(host: Client, prompt: Prompt, *source: str | int) -> np.ndarray:
    """An IMAGE as the server saves it, (F, Y, X, 3) uint8."""
    from cyberhost_core.media.images import read_image

    save = node("SaveImage", images=list(source), filename_prefix="tests/picture")
    files = host.files(host.run({**prompt, "save": save}))
    return np.stack([read_image(path) for path in files if path.name.startswith("picture")])


def test_hand_maps_tell_left_from_right_and_reach_from_the_portraits_shoulders(host: Client, fitted: str):
    prompt = portrait(
        track=from_file(fitted), maps=maps(frames=3, reference_pose=["detect", 0]), alone=maps(frames=3)
    )
    hands = pictures(host, prompt, "maps", 1)
    assert hands.shape == (3, 128, 96, 3)
    left, right = (hands[..., channel] > 60 for channel in (0, 1))
    assert left.any() and right.any() and not (left & right).any()
    x = np.arange(96)
    assert (left.sum((0, 1)) @ x) / left.sum() > 48 > (right.sum((0, 1)) @ x) / right.sum()
    arms = pictures(host, prompt, "maps", 2)
    assert (arms.max(axis=-1) > 100).any(axis=(1, 2)).all()


def test_hand_maps_loop_hold_or_refuse_a_short_track(host: Client, fitted: str):
    prompt = {"track": from_file(fitted)}
    looped = pictures(host, {**prompt, "maps": maps(frames=60, when_short="loop")}, "maps", 1)
    held = pictures(host, {**prompt, "maps": maps(frames=60)}, "maps", 1)
    assert (held[40:] == held[39]).all()
    assert (looped[40:] != looped[39]).any()
    said = complaint(host, {**prompt, "maps": maps(frames=60, when_short="error")}, "maps", 0)
    assert lacking(["CyberHostHandMaps", "has 40 frames", "60 were expected", "loop it"], said) == []


def test_a_track_of_another_rate_is_moved_with_a_notice(host: Client, fitted: str):
    prompt = {"track": from_file(fitted), "maps": maps(fps=12.5)}
    assert len(pictures(host, prompt, "maps", 1)) == 20
    assert "has 25 frames per second and was moved to 12.5" in host.server.log_text()
    said = complaint(
        host, prompt | {"maps": maps(fps=["rate", 0]), "rate": node("PrimitiveFloat", value=500.0)}, "maps", 0
    )
    assert lacking(["The frame rate is 500", "1 to 120 was expected"], said) == []


def test_a_canvas_of_other_proportions_is_refused(host: Client, fitted: str):
    said = complaint(host, {"track": from_file(fitted), "maps": maps(width=512, height=512)}, "maps", 0)
    assert lacking(["96 x 128 px", "512 x 512", "Align Hands"], said) == []


def test_a_file_that_is_no_mano_hand_is_named(host: Client, fitted: str, tmp_path: Path):
    path = tmp_path / "broken_hand.safetensors"
    path.write_bytes(b"no hand")
    name = host.add_model("cyberhost", path)
    said = complaint(host, {"track": from_file(fitted), "maps": maps(left_hand=name)}, "maps", 0)
    assert lacking(["CyberHostHandMaps", "broken_hand.safetensors", "cannot be read"], said) == []


@pytest.mark.parametrize("draw", ["skeletons", "surfaces"])
def test_a_preview_is_a_video_with_the_voice(host: Client, fitted: str, draw: str):
    prompt = portrait(
        track=from_file(fitted),
        preview=node(
            "CyberHostPreviewHandTrack",
            hand_track=["track", 0],
            draw=draw,
            image=["example", 0],
            audio=["example", 1],
        ),
        save=node(
            "SaveVideo", video=["preview", 0], filename_prefix="tests/preview", format="auto", codec="auto"
        ),
    )
    outputs = host.run(prompt)
    assert outputs["preview"]["cyberhost_hand_track"][0]["fps"] == 25
    (video,) = [path for path in host.files(outputs) if path.suffix == ".mp4"]
    frames = read_frames(video)
    assert frames.shape == (40, 128, 96, 3)
    assert frames.std() > 10
    assert read_sound(video).seconds == pytest.approx(1.6, abs=0.1)


# Files


def test_a_safetensors_track_is_offered_and_read_as_it_was_written(host: Client, run: Run, fitted: str):
    spec = host.object_info()["CyberHostHandTrackFromFile"]["input"]["required"]["file"]
    assert fitted in choices(spec)
    for form in ("safetensors", "json"):
        read = run({"track": from_file(fitted)}, form=form)
        wanted = fitted_example()
        assert read.parameters is not None and wanted.parameters is not None
        assert np.abs(read.parameters.vectors_FD - wanted.parameters.vectors_FD).max() < 1e-4
        assert np.abs(read.pose.left_hand_FKC - wanted.pose.left_hand_FKC).max() < 0.01


def not_numbers(arrays: dict[str, np.ndarray]) -> None:
    arrays["vectors"][3, 5] = np.nan


def not_unit(arrays: dict[str, np.ndarray]) -> None:
    arrays["vectors"][:, :4] *= 2


def no_hand(arrays: dict[str, np.ndarray]) -> None:
    arrays["valid"][:] = 0
    arrays["left"][:] = arrays["right"][:] = 0


BROKEN = {
    not_numbers: ["values that are not numbers"],
    not_unit: ["a quaternion of length 2", "but 1 was expected"],
    no_hand: ["shows no hand in any of its 40 frames"],
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_track_file_with_impossible_content_is_named(host: Client, fitted: str, tmp_path: Path, damage):
    name = changed_track(host, fitted, damage, to=tmp_path / f"{damage.__name__}.safetensors")
    said = complaint(host, {"track": from_file(name)}, "track", 0)
    assert lacking(["CyberHostHandTrackFromFile", *BROKEN[damage]], said) == []


def test_a_damaged_track_file_is_named(host: Client, fitted: str, tmp_path: Path):
    source = host.server.folder / "input" / fitted
    cut, text = tmp_path / "cut_track.safetensors", tmp_path / "cut_track.json"
    cut.write_bytes(source.read_bytes()[:2000])
    (bundled_track,) = hand_tracks()
    text.write_text(bundled_track.read_text(encoding="utf-8")[:5000], encoding="utf-8")
    wrong = tmp_path / "wrong_rate.json"
    wrong.write_text(json.dumps(json.loads(bundled_track.read_text("utf-8")) | {"fps": 0}), encoding="utf-8")
    for path, words in ((cut, "cannot be read as safetensors"), (text, "JSON"), (wrong, "has the rate 0")):
        said = complaint(host, {"track": from_file(put(host, path))}, "track", 0)
        assert lacking([path.name, words], said) == []


def test_a_hand_that_a_track_lacks_stays_black_in_the_maps(host: Client, tmp_path: Path, fitted: str):
    def hide_right(arrays: dict[str, np.ndarray]) -> None:
        arrays["valid"][:, 1] = 0
        arrays["right"][:] = 0

    name = changed_track(host, fitted, hide_right, to=tmp_path / "left_alone.safetensors")
    hands = pictures(host, {"track": from_file(name), "maps": maps(frames=2)}, "maps", 1)
    assert (hands[..., 0] > 60).any()
    assert not (hands[..., 1] > 0).any()


# Consumers


def test_a_track_made_from_sound_fits_align_hands_like_every_other(host: Client, run: Run, gestures: str):
    prompt = portrait() | motion(gestures)
    prompt["align"] = node(
        "CyberHostAlignHands",
        hand_track=["track", 0],
        reference_pose=["detect", 0],
        image=["example", 0],
        frames=100,
        fps=25.0,
        scale=1.0,
        offset_x=0.0,
        offset_y=0.0,
        when_short="loop",
    )
    made = run(prompt, "align")
    assert (len(made), made.pose.width, made.pose.height) == (100, 96, 128)
    assert made.parameters is not None
    prompt["align"]["inputs"]["when_short"] = "error"
    said = complaint(host, prompt, "align", 0)
    assert lacking(["CyberHostAlignHands", "has 78 frames", "100 were expected"], said) == []


# Cancel


def test_making_hands_stops_within_a_few_steps(host: Client, gestures: str):
    """A step takes milliseconds: some may have been told of, and not been read, when the request returns."""
    prompt = motion(gestures, steps=400) | {"show": node("PreviewAny", source=["track", 0])}
    assert cancelled(host, prompt, node_id="track", when=reported(0.1)) <= 4
    prompt["track"]["inputs"]["steps"] = 2
    works(host, prompt)


@pytest.mark.parametrize("share", [0.1, 1.0], ids=["while it fits", "while it draws"])
def test_drawing_hand_maps_stops_within_a_few_frames(host: Client, share: float):
    """A track of keypoints alone is fitted first, which tells its own progress up to its own end."""
    prompt = {
        "track": from_file(),
        "maps": maps(width=384, height=512, frames=56 if share < 1 else 55),
        "show": node("PreviewAny", source=["maps", 0]),
    }
    assert cancelled(host, prompt, node_id="maps", when=reported(share)) <= 1
    prompt["maps"]["inputs"] |= {"width": 96, "height": 128, "frames": 2}
    works(host, prompt)
