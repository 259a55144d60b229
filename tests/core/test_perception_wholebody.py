import numpy as np

from cyberhost_core.perception.wholebody import pose_from_wholebody, wholebody_from_pose

# COCO's and OpenPose's own lists of names, to check the index tables against
# fmt: off
COCO = [
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
    "left_ankle", "right_ankle",
]
OPENPOSE = [
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
]
# fmt: on


def points(frames: int = 2) -> np.ndarray:
    return np.random.default_rng(0).random((frames, 133, 3)).astype(np.float32)


def test_body_points_arrive_under_their_openpose_name() -> None:
    wholebody = points()
    body = pose_from_wholebody(wholebody, height=64, width=48).body_FKC
    for index, name in enumerate(OPENPOSE):
        if name != "neck":
            np.testing.assert_array_equal(body[:, index], wholebody[:, COCO.index(name)])


def test_the_neck_is_between_the_shoulders_and_seen_when_both_are() -> None:
    wholebody = points(1)
    wholebody[0, 5], wholebody[0, 6] = (10, 20, 0.9), (30, 26, 0.2)
    neck = pose_from_wholebody(wholebody, height=64, width=48).thorax_FC()[0]
    np.testing.assert_allclose(neck, (20, 23, 0.2))


def test_face_and_hands_lie_where_coco_wholebody_has_them() -> None:
    wholebody = points()
    pose = pose_from_wholebody(wholebody, height=64, width=48)
    np.testing.assert_array_equal(pose.face_FKC, wholebody[:, 23:91])
    np.testing.assert_array_equal(pose.left_hand_FKC, wholebody[:, 91:112])
    np.testing.assert_array_equal(pose.right_hand_FKC, wholebody[:, 112:133])


def test_the_way_back_loses_only_the_feet() -> None:
    wholebody = points()
    back = wholebody_from_pose(pose_from_wholebody(wholebody, height=64, width=48))
    assert back[:, 17:23].max() == 0
    kept = [index for index in range(133) if not 17 <= index < 23]
    np.testing.assert_array_equal(back[:, kept], wholebody[:, kept])


def test_the_pose_knows_its_canvas() -> None:
    pose = pose_from_wholebody(points(), height=64, width=48)
    assert (pose.height, pose.width) == (64, 48)
