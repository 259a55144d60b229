"""COCO-WholeBody's 133 points and our Pose, in both directions.

0..16 body (COCO order)   17..22 feet   23..90 face   91..111 left hand   112..132 right hand
  |
  +--> OpenPose's 18 with the neck = middle of the shoulders, which COCO does not have; feet are dropped
"""

import numpy as np

from ..types import Pose

WHOLEBODY_POINTS = 133
FACE = slice(23, 91)
LEFT_HAND = slice(91, 112)
RIGHT_HAND = slice(112, 133)

NECK = 1
LEFT_SHOULDER, RIGHT_SHOULDER = 5, 6  # in COCO's order
# OpenPose: nose, (neck), right shoulder elbow wrist, left ..., right hip knee ankle, left ..., eyes, ears
BODY_WITHOUT_NECK = [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
COCO_OF_BODY = [0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]


def pose_from_wholebody(points_FKC: np.ndarray, *, height: int, width: int) -> Pose:
    """Sort COCO-WholeBody points into a Pose.

    Shapes:   points_FKC (F, 133, 3)
    Units:    px of a height x width canvas; the neck's score is the lower of both shoulders'
    Source:   DWPose's conversion to OpenPose's form
    """
    points_FKC = points_FKC.astype(np.float32)
    body_FKC = np.zeros((len(points_FKC), 18, 3), dtype=np.float32)
    body_FKC[:, BODY_WITHOUT_NECK] = points_FKC[:, COCO_OF_BODY]
    shoulders = points_FKC[:, [LEFT_SHOULDER, RIGHT_SHOULDER]]
    body_FKC[:, NECK, :2] = shoulders[..., :2].mean(axis=1)
    body_FKC[:, NECK, 2] = shoulders[..., 2].min(axis=1)
    return Pose(
        body_FKC=body_FKC,
        face_FKC=points_FKC[:, FACE],
        left_hand_FKC=points_FKC[:, LEFT_HAND],
        right_hand_FKC=points_FKC[:, RIGHT_HAND],
        height=height,
        width=width,
    )


def wholebody_from_pose(pose: Pose) -> np.ndarray:
    """Lay a Pose out as COCO-WholeBody points: what a detector is trained to find.

    Shapes:   result (F, 133, 3) float32
    Units:    px; the feet, which a Pose does not have, get score 0
    """
    points_FKC = np.zeros((len(pose), WHOLEBODY_POINTS, 3), dtype=np.float32)
    points_FKC[:, COCO_OF_BODY] = pose.body_FKC[:, BODY_WITHOUT_NECK]
    points_FKC[:, FACE] = pose.face_FKC
    points_FKC[:, LEFT_HAND] = pose.left_hand_FKC
    points_FKC[:, RIGHT_HAND] = pose.right_hand_FKC
    return points_FKC
