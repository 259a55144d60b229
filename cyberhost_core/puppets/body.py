"""Place the torso and the arms, and collect all keypoints of a puppet into one Pose.

Shoulders ride on the sway; wrists come from the hands; elbows follow by two-bone inverse kinematics in 3D,
so that a forearm that reaches to the viewer looks short, as in a photograph.
"""

import numpy as np

from ..types import Pose
from .face import Face
from .identity import Identity
from .performance import BodyMotion

NECK = (48.0, 66.0)  # the thorax point at rest
SHOULDER_X, SHOULDER_Y = 20.5, 2.0  # from the neck
UPPER_ARM, FOREARM = 36.0, 30.0
# Elbows point outward, down and back (picture axes, depth to the viewer).
_POLE = np.array((0.55, 0.62, -0.55))
_HIP_Y, _KNEE_Y, _ANKLE_Y = 88.0, 150.0, 205.0  # below the neck, outside of the picture


def arms(identity: Identity, *, motion: BodyMotion, wrists_F23: np.ndarray) -> np.ndarray:
    """Find shoulder, elbow and wrist of both arms.

    Shapes:   wrists_F23 (F, 2, 3) left and right; result (F, 2, 3, 2): arm, joint, (x, y)
    Units:    pixels of a 128 high picture; wrists' third column is depth towards the viewer
    """
    neck = np.array(NECK) + motion.offset_F2
    result = np.zeros((len(neck), 2, 3, 2))
    for arm, outward in enumerate((1.0, -1.0)):
        shoulder = np.zeros((len(neck), 3))
        shoulder[:, :2] = neck + np.array((outward * SHOULDER_X * identity.shoulder_size, SHOULDER_Y))
        elbow = elbows(shoulder, wrists_F23[:, arm], outward=outward)
        result[:, arm] = np.stack([shoulder[:, :2], elbow[:, :2], wrists_F23[:, arm, :2]], axis=1)
    return result


def elbows(shoulder_F3: np.ndarray, wrist_F3: np.ndarray, *, outward: float) -> np.ndarray:
    """Bend an arm of two bones so that it reaches from shoulder to wrist, elbow towards the pole.

    A wrist out of reach stretches the arm straight: the elbow then divides the way in proportion.
    """
    way = wrist_F3 - shoulder_F3
    distance = np.linalg.norm(way, axis=-1, keepdims=True)
    direction = way / np.maximum(distance, 1e-6)
    along = (UPPER_ARM**2 - FOREARM**2 + distance**2) / (2.0 * np.maximum(distance, 1e-6))
    stretched = distance * UPPER_ARM / (UPPER_ARM + FOREARM)
    reachable = distance < UPPER_ARM + FOREARM
    along = np.where(reachable, np.minimum(along, UPPER_ARM), stretched)
    aside = np.sqrt(np.maximum(UPPER_ARM**2 - along**2, 0.0)) * reachable
    pole = _POLE * (outward, 1.0, 1.0)
    pole = pole - (pole * direction).sum(-1, keepdims=True) * direction
    pole = pole / np.maximum(np.linalg.norm(pole, axis=-1, keepdims=True), 1e-6)
    return shoulder_F3 + along * direction + aside * pole


def whole_pose(
    face: Face, arms_F2J2: np.ndarray, hands_F2K2: np.ndarray, *, motion: BodyMotion, height: int, width: int
) -> Pose:
    """Collect body, face and hands; a point scores 1 inside the picture and 0 outside.

    Shapes:   arms_F2J2 (F, 2, 3, 2) and hands_F2K2 (F, 2, 21, 2), left before right
    Units:    in: pixels of a 128 high picture; out: pixels of height x width
    """
    body = _body_points(face, arms_F2J2, np.array(NECK) + motion.offset_F2)
    parts = (body, face.landmarks_FK2, hands_F2K2[:, 0], hands_F2K2[:, 1])
    scored = [_scored(part * (height / 128.0), height=height, width=width) for part in parts]
    return Pose(*scored, height=height, width=width)


def _body_points(face: Face, arms_F2J2: np.ndarray, neck_F2: np.ndarray) -> np.ndarray:
    """List the 18 OpenPose body points (F, 18, 2). The person's right is on the picture's left."""
    marks = face.landmarks_FK2
    left, right = arms_F2J2[:, 0], arms_F2J2[:, 1]
    legs = [neck_F2 + np.array((x, y)) for x in (-10.0, 10.0) for y in (_HIP_Y, _KNEE_Y, _ANKLE_Y)]
    eyes = [marks[:, 36:42].mean(axis=1), marks[:, 42:48].mean(axis=1)]
    both_arms = [*right.swapaxes(0, 1), *left.swapaxes(0, 1)]
    return np.stack([marks[:, 30], neck_F2, *both_arms, *legs, *eyes, marks[:, 0], marks[:, 16]], axis=1)


def _scored(points_FK2: np.ndarray, *, height: int, width: int) -> np.ndarray:
    inside = ((points_FK2 >= 0) & (points_FK2 < (width, height))).all(axis=-1, keepdims=True)
    return np.concatenate([points_FK2, inside], axis=-1).astype(np.float32)
