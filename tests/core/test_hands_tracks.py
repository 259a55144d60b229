"""Hand tracks with parameters: the file gives back what it took, and operations do what their names say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cyberhost_core.errors import MediaError, PoseError
from cyberhost_core.hands.alignment import align_track
from cyberhost_core.hands.body_offset import body_offset
from cyberhost_core.hands.poses import pose_from_parameters
from cyberhost_core.hands.track import (
    HandTrack,
    at_fps,
    hand_tracks,
    load_hand_track,
    save_hand_track,
    with_length,
)
from cyberhost_core.hands.track_operations import (
    at_speed,
    blended,
    concatenated,
    looped,
    mirrored,
    trimmed,
    with_amplitude,
)
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import FPS, render_video
from cyberhost_core.types import Pose

HANDS = ("left_hand_FKC", "right_hand_FKC")


def puppet(seed: int) -> HandTrack:
    clip = render_video(seed, utterance=bundled_utterances("held_out")[0], performance_seed=seed, frames=40)
    made = clip.hands.parameters(size_frac=28 / 128 * clip.identity.hand_size, fps=FPS, source="a puppet")
    pose = replace(clip.pose, body_FKC=clip.pose.body_FKC.copy())
    pose.body_FKC[:, 5, 1] += 6  # the left shoulder hangs, so that the body's turn is told from its mirror's
    made = replace(made, offset_FD=body_offset(pose))
    return HandTrack(pose, fps=FPS, source="a puppet", parameters=made)


@pytest.fixture(scope="module")
def track() -> HandTrack:
    return puppet(3)


@pytest.fixture(scope="module")
def other() -> HandTrack:
    return puppet(8)


def keypoints_agree(track: HandTrack, *, atol_px: float) -> None:
    """The parameters' own keypoints are those of the track."""
    made = pose_from_parameters(track.parameters, height=track.pose.height, width=track.pose.width)
    for name in HANDS:
        ours, theirs = getattr(made, name), getattr(track.pose, name)
        both = (ours[..., 2] > 0) & (theirs[..., 2] > 0)
        assert both.mean() > 0.9
        np.testing.assert_allclose(ours[both, :2], theirs[both, :2], atol=atol_px)


def steps(track: HandTrack) -> float:
    """The largest step of any keypoint from one frame to the next, px."""
    points = np.concatenate([getattr(track.pose, name)[..., :2] for name in HANDS], axis=1)
    return float(np.linalg.norm(np.diff(points, axis=0), axis=-1).max())


def turns(track: HandTrack) -> float:
    """The largest turn of any joint from one frame to the next, radians."""
    matrices = track.parameters.matrices()
    before, after = (Rotation.from_matrix(m.reshape(-1, 3, 3)) for m in (matrices[:-1], matrices[1:]))
    return float((after * before.inv()).magnitude().max())


# --- the file


@pytest.mark.parametrize("name", ["a.json", "a.safetensors"])
def test_a_track_with_parameters_reads_back(tmp_path: Path, track: HandTrack, name: str):
    valid = np.ones((40, 2), dtype=bool)
    valid[5:9, 1] = False
    made = replace(track, parameters=replace(track.parameters, valid_FH=valid))
    save_hand_track(tmp_path / name, made)
    back = load_hand_track(tmp_path / name)
    for part in (*HANDS, "body_FKC"):
        np.testing.assert_allclose(getattr(back.pose, part), getattr(made.pose, part), atol=0.006)
    np.testing.assert_allclose(back.parameters.vectors_FD, made.parameters.vectors_FD, atol=2e-6)
    np.testing.assert_array_equal(back.parameters.valid_FH, valid)
    sizes = np.broadcast_to(made.parameters.sizes_frac_FH, (40, 2))
    np.testing.assert_allclose(np.broadcast_to(back.parameters.sizes_frac_FH, (40, 2)), sizes, atol=1e-6)
    np.testing.assert_allclose(back.parameters.offset_FD, made.parameters.offset_FD, atol=1e-6)
    assert (back.fps, back.source, back.parameters.fps) == (25, "a puppet", 25)
    assert (back.pose.height, back.pose.width) == (128, 96)


def test_tensors_are_exact_and_smaller(tmp_path: Path, track: HandTrack):
    for name in ("a.json", "a.safetensors"):
        save_hand_track(tmp_path / name, track)
    back = load_hand_track(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(back.pose.left_hand_FKC, track.pose.left_hand_FKC)
    np.testing.assert_array_equal(back.parameters.vectors_FD, track.parameters.vectors_FD)
    assert (tmp_path / "a.safetensors").stat().st_size < 0.7 * (tmp_path / "a.json").stat().st_size


def test_a_file_written_before_there_were_parameters_still_reads(tmp_path: Path):
    (path,) = hand_tracks()
    old = load_hand_track(path)
    assert old.parameters is None
    save_hand_track(tmp_path / "again.json", old, decimals=1)
    assert (tmp_path / "again.json").read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_hands_that_a_file_has_as_parameters_alone_get_keypoints(tmp_path: Path, track: HandTrack):
    save_hand_track(tmp_path / "a.json", track)
    content = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    for frame in content["frames"]:
        frame["left"] = None
        del frame["right"]
        frame["unknown"] = "is ignored"
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    back = load_hand_track(tmp_path / "a.json")
    np.testing.assert_allclose(back.pose.left_hand_FKC, track.pose.left_hand_FKC, atol=1e-2)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("left", [0.0] * 66, r"frame 3, the parameters of 'left', has the shape \[66\]"),
        ("left", [float("nan")] * 67, "frame 3, the parameters of 'left', .* not numbers"),
        ("left", [0.5] * 4 + [2.0, 0, 0, 0] + [1.0, 0, 0, 0] * 14 + [0.0] * 3, "quaternion of length 2"),
        ("right", "none", "frame 3, the parameters of 'right', holds something else"),
        ("sizes", [0.0, 0.2], "hand of size 0"),
        ("offset", [1.0], r"frame 3, the parameters' 'offset', has the shape \[1\]"),
    ],
)
def test_damaged_parameters_in_a_file_are_named(tmp_path: Path, track: HandTrack, key, value, message):
    save_hand_track(tmp_path / "a.json", track)
    content = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    content["frames"][3]["parameters"][key] = value
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MediaError, match=message):
        load_hand_track(tmp_path / "a.json")


def test_damaged_tensors_are_named(tmp_path: Path, track: HandTrack):
    from safetensors.numpy import save_file

    path = tmp_path / "a.safetensors"
    path.write_bytes(b"not this")
    with pytest.raises(MediaError, match="cannot be read as safetensors"):
        load_hand_track(path)
    points = {"left": np.ones((4, 21, 3)), "right": np.ones((4, 21, 3)), "body": np.ones((4, 18, 3))}
    head = {"format": "cyberhost-hand-track-1", "fps": "25", "width": "96", "height": "128", "source": "x"}
    for tensors, metadata, message in (
        (points, {**head, "format": "other"}, "its format is 'other'"),
        (points, {**head, "fps": "quick"}, "rate 'quick'"),
        (points, {**head, "width": "9.5"}, r"canvas \[9.5, 128\]"),
        ({**points, "left": np.ones((4, 20, 3))}, head, r"'left', has the shape \[4, 20, 3\]"),
        ({**points, "left": np.ones((3, 21, 3))}, head, r"have \[3, 4\] frames"),
        ({**points, "vectors": np.ones((4, 134))}, head, "vectors and valid together"),
        (
            {**points, "vectors": np.ones((4, 130)), "valid": np.ones((4, 2))},
            head,
            r"a.safetensors cannot be used.*shape \[4, 130\]",
        ),
    ):
        save_file({name: array.astype(np.float32) for name, array in tensors.items()}, path, metadata)
        with pytest.raises(MediaError, match=message):
            load_hand_track(path)


def test_parameters_of_another_length_or_rate_are_refused(track: HandTrack):
    with pytest.raises(PoseError, match="40 frames at 25 per second, but parameters of 30 at 25"):
        replace(track, parameters=track.parameters[:30])
    with pytest.raises(PoseError, match="parameters of 40 at 30"):
        replace(track, parameters=replace(track.parameters, fps=30.0))


# --- keypoints and parameters stay together


def test_aligning_moves_parameters_with_their_keypoints(track: HandTrack):
    larger = track.pose.packed_FKC()[:1].copy()
    larger[..., :2] = larger[..., :2] * 2.5 + (100, 40)
    reference = Pose.from_packed(larger, height=500, width=420)
    aligned = align_track(track, reference, scale=1.1, offset_px=(7, -3))
    keypoints_agree(aligned, atol_px=0.02)
    depth_px = (
        track.parameters.translations()[..., 2] * 128,
        aligned.parameters.translations()[..., 2] * 500,
    )
    np.testing.assert_allclose(depth_px[1], 2.5 * 1.1 * depth_px[0], rtol=1e-4)
    np.testing.assert_allclose(
        aligned.parameters.offset_FD, body_offset(aligned.pose), atol=1e-5
    )  # the body is where its keypoints are


@pytest.mark.parametrize("fps", [12.5, 30.0, 60.0])
def test_at_another_rate_parameters_and_keypoints_still_agree(track: HandTrack, fps: float):
    moved = at_fps(track, fps)
    assert len(moved) == round(40 * fps / 25) == len(moved.parameters)
    # between two frames keypoints go in a line and parameters along an arc
    keypoints_agree(moved, atol_px=1.5)


def test_holding_and_cutting_take_parameters_along(track: HandTrack):
    held = with_length(track, 50)
    np.testing.assert_array_equal(held.parameters.vectors_FD[45], track.parameters.vectors_FD[39])
    assert len(with_length(track, 10).parameters) == 10


# --- operations


def test_a_mirrored_track_mirrored_is_the_track_and_its_parts_agree(track: HandTrack):
    once = mirrored(track)
    twice = mirrored(once)
    np.testing.assert_allclose(twice.pose.packed_FKC(), track.pose.packed_FKC(), atol=1e-4)
    np.testing.assert_allclose(twice.parameters.vectors_FD, track.parameters.vectors_FD, atol=1e-6)
    np.testing.assert_allclose(twice.parameters.offset_FD, track.parameters.offset_FD, atol=1e-6)
    keypoints_agree(once, atol_px=0.01)
    np.testing.assert_allclose(once.parameters.offset_FD, body_offset(once.pose), atol=1e-5)
    # the left hand of a puppet is on the right of the picture, and stays there
    assert once.pose.left_hand_FKC[:, 0, 0].mean() > 48 > once.pose.right_hand_FKC[:, 0, 0].mean()
    jaw = once.pose.face_FKC[:, :17, 0]
    assert (np.diff(jaw[:, [0, 8, 16]], axis=1) > 0).all()  # from the picture's left to its right, as before


@pytest.mark.parametrize("amplitude", [0.0, 0.5, 1.0, 1.7])
def test_amplitude_scales_how_far_each_hand_is_from_its_mean_place(track: HandTrack, amplitude: float):
    moved = with_amplitude(track, left=amplitude)
    before, after = track.pose.left_hand_FKC[:, 0, :2], moved.pose.left_hand_FKC[:, 0, :2]
    np.testing.assert_allclose(after.std(axis=0), amplitude * before.std(axis=0), atol=1e-3)
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), atol=1e-3)
    np.testing.assert_array_equal(moved.pose.right_hand_FKC, track.pose.right_hand_FKC)
    shape = moved.pose.left_hand_FKC[..., :2] - after[:, None]
    np.testing.assert_allclose(shape, track.pose.left_hand_FKC[..., :2] - before[:, None], atol=1e-3)
    np.testing.assert_allclose(moved.pose.body_FKC[:, 7, :2], after, atol=1e-3)
    if amplitude <= 1:  # beyond, a point may leave the picture, which the parameters' keypoints then lack
        keypoints_agree(moved, atol_px=0.02)


def test_frames_that_do_not_show_a_hand_do_not_count_for_its_mean_place(track: HandTrack):
    hidden = track.pose.left_hand_FKC.copy()
    hidden[10:20] = 0
    partly = replace(track, pose=replace(track.pose, left_hand_FKC=hidden), parameters=None)
    still = with_amplitude(partly, left=0.0)
    assert not still.pose.left_hand_FKC[10:20].any()
    seen = np.r_[0:10, 20:40]
    wanted = np.tile(hidden[seen, 0, :2].mean(axis=0), (30, 1))
    np.testing.assert_allclose(still.pose.left_hand_FKC[seen, 0, :2], wanted, atol=1e-3)


def test_twice_the_speed_halves_the_length_and_doubles_the_way_per_frame(track: HandTrack):
    fast = at_speed(track, 2.0)
    assert (len(fast), fast.fps, fast.parameters.fps) == (20, 25, 25)
    before = np.diff(track.pose.left_hand_FKC[:, 0, 0])
    after = np.diff(fast.pose.left_hand_FKC[:, 0, 0])
    assert after.sum() == pytest.approx(before.sum(), abs=1.0)
    assert len(at_speed(track, 0.5)) == 80 and steps(at_speed(track, 0.5)) < 0.6 * steps(track)
    for speed in (0, -1, float("nan")):
        with pytest.raises(PoseError, match="A speed of"):
            at_speed(track, speed)


def test_trimming_keeps_the_frames_asked_for(track: HandTrack):
    part = trimmed(track, first=7, frames=5)
    np.testing.assert_array_equal(part.pose.left_hand_FKC, track.pose.left_hand_FKC[7:12])
    np.testing.assert_array_equal(part.parameters.vectors_FD, track.parameters.vectors_FD[7:12])
    for first, frames in ((38, 5), (-1, 5), (3, 0)):
        with pytest.raises(PoseError, match="it has frames 0 to 39"):
            trimmed(track, first=first, frames=frames)


def test_concatenating_keeps_both_ends_and_fades_without_a_jump(track: HandTrack, other: HandTrack):
    hard = concatenated([track, other])
    assert len(hard) == 80
    np.testing.assert_array_equal(hard.pose.packed_FKC()[:40], track.pose.packed_FKC())
    np.testing.assert_array_equal(hard.pose.packed_FKC()[40:], other.pose.packed_FKC())
    soft = concatenated([track, other], fade_frames=12)
    assert len(soft) == 68
    np.testing.assert_array_equal(soft.pose.packed_FKC()[:28], track.pose.packed_FKC()[:28])
    np.testing.assert_array_equal(soft.pose.packed_FKC()[40:], other.pose.packed_FKC()[12:])
    # the way from one to the other, spread over 13 steps, comes on top of what either does by itself
    between = [
        getattr(track.pose, name)[28:, :, :2] - getattr(other.pose, name)[:12, :, :2] for name in HANDS
    ]
    gap = np.linalg.norm(between, axis=-1).max()
    assert steps(soft) <= max(steps(track), steps(other)) + gap / 13 + 1e-3
    assert turns(soft) <= max(turns(track), turns(other)) + np.pi / 13 + 1e-3
    np.testing.assert_allclose(np.linalg.norm(soft.parameters.quaternions(), axis=-1), 1, atol=1e-6)
    assert np.abs(np.diff(soft.parameters.quaternions(), axis=0)).max() < 0.5  # no sign jumps either


def test_concatenating_brings_the_second_onto_the_firsts_canvas_and_rate(track: HandTrack, other: HandTrack):
    large = replace(at_fps(other, 50), pose=at_fps(other, 50).pose.scaled(height=512, width=384))
    joined = concatenated([track, large])
    assert (joined.fps, joined.pose.height, len(joined)) == (25, 128, 80)
    np.testing.assert_allclose(
        joined.pose.left_hand_FKC[40:, 0], concatenated([track, other]).pose.left_hand_FKC[40:, 0], atol=0.5
    )


def test_a_track_without_parameters_leaves_its_frames_without(track: HandTrack, other: HandTrack):
    joined = concatenated([track, replace(other, parameters=None)], fade_frames=4)
    assert joined.parameters.valid_FH[:38].all() and not joined.parameters.valid_FH[38:].any()
    assert concatenated([replace(track, parameters=None)] * 2).parameters is None


def test_fades_that_do_not_fit_and_no_track_are_refused(track: HandTrack):
    for fade in (-1, 40):
        with pytest.raises(PoseError, match=f"A fade of {fade} frames"):
            concatenated([track, track], fade_frames=fade)
    with pytest.raises(PoseError, match="No hand track"):
        concatenated([])


@pytest.mark.parametrize(("frames", "fade"), [(100, 0), (100, 8), (33, 8), (40, 0), (41, 39)])
def test_looping_repeats_to_the_length(track: HandTrack, frames: int, fade: int):
    long = looped(track, frames, fade_frames=fade)
    assert len(long) == len(long.parameters) == frames
    kept = min(frames, 40 - fade)
    np.testing.assert_array_equal(long.pose.packed_FKC()[:kept], track.pose.packed_FKC()[:kept])
    if (frames, fade) == (100, 0):
        np.testing.assert_array_equal(long.pose.packed_FKC()[80:], track.pose.packed_FKC()[:20])


def test_blending_goes_from_one_to_the_other(track: HandTrack, other: HandTrack):
    for weight, wanted in ((0.0, track), (1.0, other)):
        made = blended(track, other, weight=weight)
        np.testing.assert_allclose(made.pose.left_hand_FKC, wanted.pose.left_hand_FKC, atol=1e-4)
        np.testing.assert_allclose(made.parameters.matrices(), wanted.parameters.matrices(), atol=1e-5)
    half = blended(track, other, weight=0.5)
    middle = (track.parameters.translations() + other.parameters.translations()) / 2
    np.testing.assert_allclose(half.parameters.translations(), middle, atol=1e-6)
    with pytest.raises(PoseError, match="40 frames at 25 and of 20"):
        blended(track, at_speed(other, 2), weight=0.5)
    with pytest.raises(PoseError, match=r"A weight of 1\.5"):
        blended(track, other, weight=1.5)


def test_operations_leave_their_track_as_it_was(track: HandTrack, other: HandTrack):
    packed, vectors = track.pose.packed_FKC().copy(), track.parameters.vectors_FD.copy()
    with_amplitude(track, left=0.1, right=2)
    mirrored(track), at_speed(track, 1.3), concatenated([track, other], fade_frames=5), looped(track, 90)
    blended(track, other, weight=0.3), trimmed(track, first=0, frames=4)
    np.testing.assert_array_equal(track.pose.packed_FKC(), packed)
    np.testing.assert_array_equal(track.parameters.vectors_FD, vectors)
