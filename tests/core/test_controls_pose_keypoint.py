"""POSE_KEYPOINT in every form that is about reads as the same person; what we write, others can read."""

import json
from pathlib import Path

import numpy as np
import pytest

from cyberhost_core.controls.pose_keypoint import keypoints_from_pose, pose_from_keypoints
from cyberhost_core.errors import PoseError
from cyberhost_core.perception.wholebody import pose_from_wholebody
from cyberhost_core.types import SEEN, Pose

FOLDER = Path(__file__).parent / "fixtures" / "pose_keypoint"
PARTS = ("pose_keypoints_2d", "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d")
HANDS = ("left_hand_FKC", "right_hand_FKC")
ALL = ("body_FKC", "face_FKC", *HANDS)


def recorded(name: str) -> list[dict]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def truth() -> Pose:
    points = json.loads((FOLDER / "points.json").read_text(encoding="utf-8"))
    return pose_from_wholebody(
        np.array([points["wholebody"]]), height=points["height"], width=points["width"]
    )


def require_same_places(found: Pose, truth: Pose, *, parts: tuple[str, ...] = ALL) -> None:
    """The first frame shows the same points at the same places."""
    assert (found.height, found.width) == (truth.height, truth.width)
    for part in parts:
        known, got = getattr(truth, part)[0], getattr(found, part)[0]
        seen = known[:, 2] >= SEEN
        assert ((got[:, 2] >= SEEN) == seen).all()
        np.testing.assert_allclose(got[seen, :2], known[seen, :2], atol=2e-3)


def changed(frames: list[dict], *, at: int = 0, **parts: object) -> list[dict]:
    frames[at]["people"][0].update(parts)
    return frames


# Reading


@pytest.mark.parametrize("name", ["aux_dwpose", "core_sdpose"])
def test_dwpose_and_core_sdpose_read_as_the_same_person(name: str, truth: Pose) -> None:
    require_same_places(pose_from_keypoints(recorded(name)), truth)


def test_core_sdposes_scores_are_kept_and_its_exchanged_hands_set_right(truth: Pose) -> None:
    frames = recorded("core_sdpose")
    called_right = np.reshape(frames[0]["people"][0]["hand_right_keypoints_2d"], (21, 3))
    np.testing.assert_allclose(called_right, truth.left_hand_FKC[0], atol=1e-3)  # the recording's own claim
    pose = pose_from_keypoints(frames)
    np.testing.assert_allclose(pose.left_hand_FKC[0], truth.left_hand_FKC[0], atol=1e-3)
    np.testing.assert_allclose(pose.right_hand_FKC[0], truth.right_hand_FKC[0], atol=1e-3)
    assert (pose.packed_FKC()[1, :, 2] < SEEN).all()


def test_openposes_shares_of_the_padded_picture_become_pixels(truth: Pose) -> None:
    pose = pose_from_keypoints(recorded("aux_openpose"))
    require_same_places(pose, truth, parts=("body_FKC", "face_FKC", "right_hand_FKC"))
    missed = pose.left_hand_FKC[0, 3]
    assert missed.tolist() == [0, 0, 0]
    others = np.arange(21) != 3
    np.testing.assert_allclose(
        pose.left_hand_FKC[0, others, :2], truth.left_hand_FKC[0, others, :2], atol=2e-3
    )


def test_a_face_with_points_left_out_is_unseen() -> None:
    frames = recorded("aux_openpose")
    face = frames[0]["people"][0]["face_keypoints_2d"]
    assert not pose_from_keypoints(changed(frames, face_keypoints_2d=face[: 60 * 3])).face_FKC.any()


def test_parts_that_are_none_or_absent_are_unseen(truth: Pose) -> None:
    frames = recorded("aux_dwpose")
    assert frames[1]["people"][0]["hand_left_keypoints_2d"] is None  # the recording's own claim
    pose = pose_from_keypoints(frames)
    for hand in HANDS:
        assert not getattr(pose, hand)[1].any()
        assert getattr(pose, hand)[0].any()
    del frames[0]["people"][0]["face_keypoints_2d"]
    assert not pose_from_keypoints(frames).face_FKC[0].any()


def test_a_lone_hand_goes_to_the_wrist_it_hangs_on(truth: Pose) -> None:
    frames = recorded("aux_dwpose")
    left = frames[0]["people"][0]["hand_left_keypoints_2d"]
    pose = pose_from_keypoints(changed(frames, hand_left_keypoints_2d=None, hand_right_keypoints_2d=left))
    np.testing.assert_allclose(pose.left_hand_FKC[0, :, :2], truth.left_hand_FKC[0, :, :2], atol=1e-3)
    assert not pose.right_hand_FKC[0].any()


def test_hands_without_wrists_keep_their_names(truth: Pose) -> None:
    frames = recorded("aux_dwpose")
    body = np.reshape(frames[0]["people"][0]["pose_keypoints_2d"], (18, 3))
    body[[4, 7]] = 0
    pose = pose_from_keypoints(changed(frames, pose_keypoints_2d=body.ravel().tolist()))
    np.testing.assert_allclose(pose.left_hand_FKC[0, :, :2], truth.left_hand_FKC[0, :, :2], atol=1e-3)


def test_sixty_eight_face_points_are_as_good_as_seventy(truth: Pose) -> None:
    frames = recorded("aux_dwpose")
    face = frames[0]["people"][0]["face_keypoints_2d"]
    assert len(face) == 70 * 3
    pose = pose_from_keypoints(changed(frames, face_keypoints_2d=face[: 68 * 3]))
    require_same_places(pose, truth)


def test_points_that_are_not_numbers_are_unseen() -> None:
    frames = recorded("aux_dwpose")
    frames[0]["people"][0]["pose_keypoints_2d"][0] = float("nan")
    assert pose_from_keypoints(frames).body_FKC[0, 0].tolist() == [0, 0, 0]


# Several people, nobody


def test_the_largest_person_is_taken_in_each_frame(truth: Pose) -> None:
    pose = pose_from_keypoints(recorded("two_people"))
    require_same_places(pose, truth)
    require_same_places(pose[1:], truth)


def test_a_frame_without_people_is_zeros() -> None:
    assert not pose_from_keypoints(recorded("two_people")).packed_FKC()[2].any()


def test_a_person_is_taken_by_number_and_frames_without_that_number_are_zeros(truth: Pose) -> None:
    frames = recorded("two_people")
    smaller = pose_from_keypoints(frames, person=0)
    np.testing.assert_allclose(
        smaller.thorax_FC()[0, :2], 0.4 * truth.thorax_FC()[0, :2] + [55, 5], atol=1e-3
    )
    second = pose_from_keypoints(frames, person=1)
    require_same_places(second, truth)
    assert not second.packed_FKC()[1:].any()


@pytest.mark.parametrize("person", [2, -1])
def test_a_number_too_high_is_answered_with_how_many_there_are(person: int) -> None:
    with pytest.raises(PoseError, match=rf"Person {person} was asked for, but no frame holds more than 2"):
        pose_from_keypoints(recorded("two_people"), person=person)


def test_nobody_in_any_frame_is_said() -> None:
    with pytest.raises(PoseError, match="No person was found in any of 2 frames"):
        pose_from_keypoints(recorded("nobody"))
    with pytest.raises(PoseError, match="No person was found in any of 2 frames"):
        pose_from_keypoints(recorded("nobody"), person=0)
    with pytest.raises(PoseError, match="No person was found in any of 1 frames"):
        pose_from_keypoints(recorded("core_sdpose")[1:])  # it writes a person of low scores


# Refusals


def test_animals_are_refused() -> None:
    with pytest.raises(PoseError, match="animal's keypoints"):
        pose_from_keypoints(recorded("ap10k"))


def test_canvases_of_two_sizes_are_refused() -> None:
    frames = recorded("aux_dwpose")
    frames[1]["canvas_width"] = 100
    with pytest.raises(PoseError, match="96 x 128 px in frame 1 but 100 x 128 px in frame 2"):
        pose_from_keypoints(frames)


def test_an_empty_canvas_is_refused() -> None:
    with pytest.raises(PoseError, match="0 x 128 px"):
        pose_from_keypoints([{"people": [], "canvas_height": 128, "canvas_width": 0}])


def test_no_frame_and_foreign_frames_are_refused() -> None:
    with pytest.raises(PoseError, match="holds no frame"):
        pose_from_keypoints([])
    with pytest.raises(PoseError, match="has no 'people'"):
        pose_from_keypoints([{"canvas_height": 8, "canvas_width": 8}])


@pytest.mark.parametrize("flat", [[0.5] * 25 * 3, [0.5] * 20 * 3])
def test_a_body_of_another_kind_is_refused_with_its_number_of_points(flat: list[float]) -> None:
    with pytest.raises(PoseError, match=f"holds {len(flat) // 3} points, 18 were expected"):
        pose_from_keypoints(changed(recorded("aux_dwpose"), pose_keypoints_2d=flat))


@pytest.mark.parametrize("flat", [[1.0, 2.0], [[1.0, 2.0, 3.0], [4.0]], ["a", "b", "c"]])
def test_a_part_that_is_no_list_of_numbers_is_refused(flat: list) -> None:
    with pytest.raises(PoseError, match="no flat list"):
        pose_from_keypoints(changed(recorded("aux_dwpose"), pose_keypoints_2d=flat))


# Writing


def test_what_is_written_is_plain_json_that_other_nodes_can_read(truth: Pose) -> None:
    (frame,) = json.loads(json.dumps(keypoints_from_pose(truth)))
    assert (frame["canvas_height"], frame["canvas_width"]) == (128, 96)
    (person,) = frame["people"]
    for part, points in zip(PARTS, (18, 70, 21, 21), strict=True):
        written = np.reshape(person[part], (points, 3))
        assert set(np.unique(written[:, 2])) <= {0.0, 1.0}
        assert not written[written[:, 2] == 0].any()
    np.testing.assert_allclose(person["pose_keypoints_2d"][3:6], [*truth.thorax_FC()[0, :2], 1], atol=1e-4)
    assert person["face_keypoints_2d"][68 * 3 : 69 * 3] == person["pose_keypoints_2d"][14 * 3 : 15 * 3]


def test_parts_that_are_not_seen_are_written_as_zeros(truth: Pose) -> None:
    truth.left_hand_FKC[..., 2] = 0.1
    (person,) = keypoints_from_pose(truth)[0]["people"]
    assert person["hand_left_keypoints_2d"] == [0.0] * 63
    assert person["cyberhost_scores"]["left"] == pytest.approx([0.1] * 21)


def test_reading_what_was_written_gives_places_and_scores_back(truth: Pose) -> None:
    back = pose_from_keypoints(json.loads(json.dumps(keypoints_from_pose(truth))))
    require_same_places(back, truth)
    np.testing.assert_array_equal(back.packed_FKC()[..., 2], truth.packed_FKC()[..., 2])


def test_a_frame_without_anybody_has_no_people(truth: Pose) -> None:
    nobody = Pose.from_packed(np.zeros((1, 128, 3), np.float32), height=8, width=9)
    assert keypoints_from_pose(nobody) == [{"people": [], "canvas_height": 8, "canvas_width": 9}]


def test_a_point_that_an_editor_added_or_took_away_follows_c_not_the_old_score(truth: Pose) -> None:
    truth.body_FKC[0, 8, 2] = 0.05
    frames = keypoints_from_pose(truth)
    body = frames[0]["people"][0]["pose_keypoints_2d"]
    body[8 * 3 : 9 * 3], body[0:3] = [50.0, 120.0, 1.0], [0.0, 0.0, 0.0]
    read = pose_from_keypoints(frames).body_FKC[0]
    assert read[8].tolist() == [50, 120, 1]
    assert read[0, 2] == 0
