"""A body of our own under SMPL-X's turns: which joints there are, and where they go.

SMPL-X's joints and axes are facts, its body is under a licence of its own; so the bones are as long as usual
ones. What is made of them is scaled to the portrait's shoulders anyway.

At rest the person stands upright, arms stretched out to the sides, palms down. Axes are the hands': x to the
picture's right (the person's left), y up, z to the viewer.
"""

from dataclasses import dataclass

import numpy as np

from ..types import BODY_POINTS, THORAX
from .rotations import rotation_matrices

JOINTS = 22  # pelvis to wrists, of SMPL-X's 55
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
CHEST = 9
WRISTS = (20, 21)  # left, right
HEIGHT_M = 1.7
HAND_LENGTH = 0.108  # wrist to middle tip, of the body's height, as all below
# Half widths of hips and shoulders, heights of hips, knees, ankles and shoulders, and arms: Winter,
# Biomechanics (2009), figure 4.1. Spine, collar bones and head are set between them by eye.
_MIDDLE = {0: 0.53, 3: 0.59, 6: 0.65, 9: 0.69, 12: 0.84, 15: 0.89}
_LEFT = {
    1: (0.0955, 0.53), 4: (0.0955, 0.285), 7: (0.0955, 0.039), 10: (0.0955, 0.0), 13: (0.04, 0.80),
    16: (0.129, 0.818), 18: (0.315, 0.818), 20: (0.461, 0.818),
}  # fmt: skip
_FOOT = 10
_TOES = 0.08  # the feet's joints lie that far in front
# OpenPose's shoulders, elbows, wrists, hips, knees and ankles, right ones first, and SMPL-X's
_OPENPOSE = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
_SMPLX = (17, 19, 21, 16, 18, 20, 2, 5, 8, 1, 4, 7)
_SHOULDERS = [2, 5]


@dataclass(frozen=True, eq=False)
class PosedBody:
    """Hold a body over F frames.

    Shapes:   turned_FJ33 (F, 22, 3, 3) the joints' turns in the picture's axes; placed_FJ3 (F, 22, 3)
    Units:    body heights, the ground below the resting body at y = 0
    """

    turned_FJ33: np.ndarray
    placed_FJ3: np.ndarray


def rest_places() -> np.ndarray:
    """Place the joints (22, 3) of a resting body, in body heights."""
    places = np.zeros((JOINTS, 3))
    for joint, height in _MIDDLE.items():
        places[joint] = (0.0, height, 0.0)
    for joint, (aside, height) in _LEFT.items():
        for one, sign in ((joint, 1.0), (joint + 1, -1.0)):
            places[one] = (sign * aside, height, _TOES if joint == _FOOT else 0.0)
    return places


def posed_body(rotations_FJ3: np.ndarray, moved_F3: np.ndarray) -> PosedBody:
    """Chain the joints' own turns from the pelvis on.

    Shapes:   rotations_FJ3 (F, 22, 3) axis-angle; moved_F3 (F, 3)
    Units:    radians; moved: how far the pelvis is from its resting place, in body heights
    """
    local_FJ33, rest = rotation_matrices(rotations_FJ3), rest_places()
    turned, placed = np.empty_like(local_FJ33), np.empty((*rotations_FJ3.shape[:2], 3))
    turned[:, 0], placed[:, 0] = local_FJ33[:, 0], rest[0] + moved_F3
    for joint, parent in enumerate(PARENTS[1:], start=1):
        placed[:, joint] = placed[:, parent] + turned[:, parent] @ (rest[joint] - rest[parent])
        turned[:, joint] = turned[:, parent] @ local_FJ33[:, joint]
    return PosedBody(turned, placed)


def body_points(places_FJ2: np.ndarray) -> np.ndarray:
    """Take the keypoints (F, 18, 3) that a posed body has; head and face are unseen.

    Shapes:   places_FJ2 (F, 22, 2)
    Units:    px
    """
    body_FKC = np.zeros((len(places_FJ2), BODY_POINTS, 3), dtype=np.float32)
    body_FKC[:, _OPENPOSE, :2], body_FKC[:, _OPENPOSE, 2] = places_FJ2[:, _SMPLX], 1.0
    body_FKC[:, THORAX] = body_FKC[:, _SHOULDERS].mean(axis=1)
    return body_FKC
