"""A hand's joints and bones in MANO's order: the skeleton is our own, the order and the axes are MANO's.

MANO (Romero et al. 2017, used by EMO2 section 3.3) describes a hand by 16 joint rotations and a
translation. Its mesh is under a research licence, so the bones here are our own: same joints, same axes,
own lengths.

Axes of the rest hand, as in MANO: x to the picture's right, y up, z to the viewer. The right hand's fingers
point along -x, its palm looks down (-y), its thumb is on the +z side; the left hand is the mirror image in x.
"""

from typing import Literal

import numpy as np

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")  # the person's own; the order of every axis H

# Wrist, then three joints each of FINGERS.
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
FINGERS = ("index", "middle", "pinky", "ring", "thumb")
JOINTS = len(PARENTS)
TIP_PARENTS = (3, 6, 9, 12, 15)  # the joints that the tips of FINGERS, points 16 to 20, hang on
MIDDLE_TIP = 17

# Where each finger starts (from the wrist) and its three bones, for a right hand of length 1 (wrist to
# middle tip).
_ROOTS = (
    (-0.47, 0.0, 0.24),
    (-0.49, 0.0, 0.08),
    (-0.415, 0.0, -0.24),
    (-0.465, 0.0, -0.085),
    (-0.12, -0.03, 0.15),
)
_BONES = (
    (0.23, 0.15, 0.12),
    (0.24, 0.155, 0.115),
    (0.175, 0.12, 0.1),
    (0.225, 0.15, 0.115),
    (0.2, 0.17, 0.14),
)
_DIRECTIONS = (
    (-1.0, 0.0, 0.06),
    (-1.0, 0.0, 0.02),
    (-1.0, 0.0, -0.1),
    (-1.0, 0.0, -0.04),
    (-0.6, -0.12, 0.79),
)

# OpenPose order (wrist, thumb, index, middle, ring, pinky) in our list of 16 joints followed by 5 tips.
OPENPOSE = (0, 13, 14, 15, 20, 1, 2, 3, 16, 4, 5, 6, 17, 10, 11, 12, 19, 7, 8, 9, 18)


def rest_offsets(side: Side) -> np.ndarray:
    """List the offsets (21, 3) of 16 joints and 5 tips from their parents, in hand lengths."""
    offsets = np.zeros((21, 3))
    for finger, (root, bones, direction) in enumerate(zip(_ROOTS, _BONES, _DIRECTIONS, strict=True)):
        along = np.array(direction) / np.linalg.norm(direction)
        first = 3 * finger + 1
        offsets[first] = root
        offsets[[first + 1, first + 2, 16 + finger]] = np.array(bones)[:, None] * along
    return offsets * ((-1.0, 1.0, 1.0) if side == "left" else 1.0)
