"""Arms and legs that come with the hands: they are drawn instead of found, and go wherever the hands go."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cyberhost_core.errors import MediaError, PoseError
from cyberhost_core.hands.alignment import align_track
from cyberhost_core.hands.arms import with_arms
from cyberhost_core.hands.drawing.keypoint_maps import draw_keypoint_maps
from cyberhost_core.hands.limbs import limbs_of
from cyberhost_core.hands.parameters import LIMB_POINTS, HandParameters
from cyberhost_core.hands.poses import pose_from_parameters
from cyberhost_core.hands.track import HandTrack, at_fps, load_hand_track, save_hand_track
from cyberhost_core.hands.track_operations import concatenated, mirrored, with_amplitude
from cyberhost_core.types import BODY_POINTS, FACE_POINTS, HAND_POINTS, Pose

HEIGHT, WIDTH, FRAMES = 300, 200, 6
LEFT_ELBOW, LEFT_WRIST, LEFT_HIP = 6, 7, 11  # OpenPose
Places = dict[int, tuple[float, float]]
# No knees.
PLACES: Places = {
    2: (70, 90), 3: (45, 150), 5: (130, 90), 6: (160, 140), 8: (85, 220), 11: (115, 222)
}  # fmt: skip


def body(points: Places, *, frames: int = 1) -> Pose:
    """A canvas of 200 x 300 whose body shows these points alone; they move to the right by 2 px a frame."""
    body_FKC = np.zeros((frames, BODY_POINTS, 3), np.float32)
    for point, place in points.items():
        body_FKC[:, point, :2] = np.array(place) + np.arange(frames)[:, None] * (2, 0)
        body_FKC[:, point, 2] = 1
    hand = np.zeros((frames, HAND_POINTS, 3), np.float32)
    return Pose(body_FKC, np.zeros((frames, FACE_POINTS, 3), np.float32), hand, hand, HEIGHT, WIDTH)


def moving(*, limbs: bool = True, valid: tuple[bool, bool] = (True, True)) -> HandParameters:
    """Both hands open, the left one at (0.7, 0.6) of the picture; with arms and hips beside them."""
    places = np.tile(np.array([[0.7, 0.6, 0.1], [0.3, 0.6, 0.1]]), (FRAMES, 1, 1))
    places[..., 0] += np.arange(FRAMES)[:, None] * 0.01
    made = HandParameters.from_axis_angles(
        np.zeros((FRAMES, 2, 16, 3)),
        places,
        fps=25,
        source="a test",
        valid_FH=np.tile(valid, (FRAMES, 1)),
    )
    return replace(made, limbs_FKC=limbs_of(body(PLACES, frames=FRAMES))) if limbs else made


def limbs_known(parameters: HandParameters | None) -> np.ndarray:
    assert parameters is not None and parameters.limbs_FKC is not None
    return parameters.limbs_FKC


LIMBS_FKC = limbs_of(body(PLACES, frames=FRAMES))


def track(parameters: HandParameters) -> HandTrack:
    return HandTrack(pose_from_parameters(parameters, height=HEIGHT, width=WIDTH), 25.0, "a test", parameters)


def test_generated_arms_and_legs_are_drawn_as_they_are_and_not_found_from_the_wrists() -> None:
    portrait = body({2: (60, 80), 5: (140, 80), 6: (141, 140), 9: (85, 280)})
    made = with_arms(moving(), portrait)
    for point, place in PLACES.items():
        expected = np.array(place) + np.arange(FRAMES)[:, None] * (2, 0)
        np.testing.assert_allclose(made.body_FKC[:, point, :2], expected, atol=1e-3)
    assert not made.body_FKC[:, [9, 10, 12, 13], 2].any(), "the portrait's knee is not the motion's"
    np.testing.assert_allclose(made.body_FKC[:, LEFT_WRIST], made.left_hand_FKC[:, 0])
    found = with_arms(moving(limbs=False), portrait).body_FKC[:, LEFT_ELBOW]
    assert np.linalg.norm((found - made.body_FKC[:, LEFT_ELBOW])[:, :2], axis=-1).min() > 5
    drawn, of_found = (
        draw_keypoint_maps(with_arms(moving(limbs=known), portrait)) for known in (True, False)
    )
    assert (drawn - of_found).abs().amax(dim=(1, 2, 3)).min() > 0.5, "another map in every frame"


def test_they_need_no_shoulders_of_the_portrait() -> None:
    nobody = body({})
    assert with_arms(moving(), nobody).body_FKC[0, LEFT_ELBOW, 2] == 1
    with pytest.raises(PoseError, match="does not show the person's left shoulder"):
        with_arms(moving(limbs=False), nobody)


def test_an_arm_whose_hand_is_absent_keeps_its_generated_elbow_and_loses_its_wrist() -> None:
    made = with_arms(moving(valid=(False, True)), body({2: (60, 80), 5: (140, 80)}))
    assert made.body_FKC[:, LEFT_ELBOW, 2].all()
    assert not made.body_FKC[:, LEFT_WRIST].any()


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_file_keeps_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"track{suffix}"
    save_hand_track(path, track(moving()))
    np.testing.assert_allclose(limbs_known(load_hand_track(path).parameters), LIMBS_FKC, atol=1e-6)
    unseen = replace(moving(), limbs_FKC=np.zeros((FRAMES, len(LIMB_POINTS), 3)))
    save_hand_track(path, track(unseen))
    assert not limbs_known(load_hand_track(path).parameters).any(), "known to be unseen is not unknown"
    save_hand_track(path, track(moving(limbs=False)))
    found = load_hand_track(path).parameters
    assert found is not None and found.limbs_FKC is None


def test_a_file_with_too_few_of_them_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "track.json"
    save_hand_track(path, track(moving()))
    text = path.read_text(encoding="utf-8")
    first = text.index('"limbs":[[') + len('"limbs":[')
    path.write_text(text[:first] + text[text.index("],", first) + 2 :], encoding="utf-8")
    with pytest.raises(MediaError, match=r"frame 0, the parameters' 'limbs', has the shape \[9, 3\]"):
        load_hand_track(path)


def test_they_move_with_the_hands_onto_another_person() -> None:
    """On a canvas half as wide: every limb keeps its place between wrists and shoulders."""
    moved = align_track(
        replace(track(moving()), pose=with_arms(moving(), body({}))),
        body({2: (35, 45), 5: (65, 45)}),
    )
    limbs_FKC = limbs_known(moved.parameters)
    np.testing.assert_allclose(limbs_FKC, limbs_of(moved.pose), atol=1e-5, err_msg="as its own pose moves")
    assert limbs_FKC[..., 2].sum() == FRAMES * len(PLACES), "the unseen stay unseen"


def test_a_mirror_swaps_left_and_right() -> None:
    once_FKC = limbs_known(mirrored(track(moving())).parameters)
    hip, other = (LIMB_POINTS.index(point) for point in (LEFT_HIP, 8))
    np.testing.assert_allclose(once_FKC[0, hip], (1 - 85 / WIDTH, 220 / HEIGHT, 1), atol=1e-6)
    np.testing.assert_allclose(once_FKC[0, other], (1 - 115 / WIDTH, 222 / HEIGHT, 1), atol=1e-6)
    twice_FKC = limbs_known(mirrored(mirrored(track(moving()))).parameters)
    np.testing.assert_allclose(twice_FKC, LIMBS_FKC, atol=1e-6)


def test_at_another_rate_they_keep_their_time() -> None:
    twice_FKC = limbs_known(at_fps(track(moving()), 50.0).parameters)
    elbow_F = twice_FKC[:, LIMB_POINTS.index(LEFT_ELBOW), 0] * WIDTH
    steps = np.diff(elbow_F)[1:-1]
    np.testing.assert_allclose(steps, 1.0, atol=1e-3, err_msg="2 px a frame at 25 are 1 px at 50")


def test_hands_that_were_moved_or_joined_with_others_forget_arms_that_do_not_reach_them() -> None:
    whole = track(moving())
    for changed in (with_amplitude(whole, left=2.0), concatenated([whole, track(moving(limbs=False))])):
        assert changed.parameters is not None and changed.parameters.limbs_FKC is None
    both_FKC = limbs_known(concatenated([whole, whole]).parameters)
    np.testing.assert_allclose(both_FKC, np.tile(LIMBS_FKC, (2, 1, 1)), atol=1e-6)


def test_limbs_of_another_shape_are_refused() -> None:
    with pytest.raises(
        PoseError, match=r"limbs .* have the shape \[6, 9, 3\], but \[6, 10, 3\] was expected"
    ):
        replace(moving(), limbs_FKC=np.zeros((FRAMES, 9, 3)))
    with pytest.raises(PoseError, match="not numbers"):
        replace(moving(), limbs_FKC=np.full((FRAMES, 10, 3), np.nan))
