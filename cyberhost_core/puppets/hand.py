"""A hand skeleton with MANO's parameters and joint order, and its 21 keypoints.

MANO (Romero et al. 2017, used by EMO2 section 3.3) describes a hand by 16 joint rotations and a
translation. Its mesh is under a research licence, so the bones here are our own: same joints, same axes,
own lengths.

    rotations (16, 3) axis-angle --Rodrigues--> 16 matrices --chain along PARENTS--> 16 joints + 5 tips -->
    21 keypoints

Axes of the rest hand, as in MANO: x to the picture's right, y up, z to the viewer. The right hand's fingers
point along -x, its palm looks down (-y), its thumb is on the +z side; the left hand is the mirror image in x.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")  # the order of axis 1 of HandMotion

# Wrist, then three joints each of FINGERS.
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
FINGERS = ("index", "middle", "pinky", "ring", "thumb")

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
_OPENPOSE = (0, 13, 14, 15, 20, 1, 2, 3, 16, 4, 5, 6, 17, 10, 11, 12, 19, 7, 8, 9, 18)


@dataclass(frozen=True)
class HandMotion:
    """Hold both hands' MANO parameters over F frames; axis 1 is (left, right), the person's own.

    Shapes:   rotations (F, 2, 16, 3); translations (F, 2, 3)
    Units:    rotations: axis-angle in radians, joint 0 is the wrist in the picture's axes; translations:
              the wrist's x and y as fractions of the picture's width and height (y down), depth as a
              fraction of its height
    Source:   EMO2 section 3.3: 16 rotations and a translation per hand
    """

    rotations: np.ndarray
    translations: np.ndarray

    def __len__(self) -> int:
        return len(self.rotations)


def hand_keypoints(rotations_FJ3: np.ndarray, *, side: Side) -> np.ndarray:
    """Pose the skeleton and read off its keypoints (forward kinematics).

    Shapes:   rotations_FJ3 (F, 16, 3) axis-angle; result (F, 21, 3) in OpenPose order, relative to the wrist
    Units:    lengths of the hand (1 = wrist to middle finger tip at rest); x right, y up, z to the viewer
    Source:   MANO eq. 2-4 without the mesh: G_j = G_parent(j) [R_j | offset_j]
    """
    offsets, local = rest_offsets(side), rotation_matrices(rotations_FJ3)
    frames = len(rotations_FJ3)
    turned, placed = np.empty((frames, 16, 3, 3)), np.zeros((frames, 21, 3))
    turned[:, 0] = local[:, 0]
    for joint in range(1, 16):
        parent = PARENTS[joint]
        placed[:, joint] = placed[:, parent] + turned[:, parent] @ offsets[joint]
        turned[:, joint] = turned[:, parent] @ local[:, joint]
    for finger in range(5):
        last = 3 * finger + 3
        placed[:, 16 + finger] = placed[:, last] + turned[:, last] @ offsets[16 + finger]
    return placed[:, _OPENPOSE]


def projected_keypoints(
    motion: HandMotion, *, side: Side, size_frac: float, height: int, width: int
) -> np.ndarray:
    """Draw a hand's keypoints orthographically into the picture, depth kept as third column.

    Shapes:   result (F, 21, 3): x, y, depth
    Units:    pixels; depth grows towards the viewer. size_frac: hand length as a fraction of the picture's
              height
    """
    hand = SIDES.index(side)
    keypoints = hand_keypoints(motion.rotations[:, hand], side=side) * (size_frac * height) * (1.0, -1.0, 1.0)
    return keypoints + motion.translations[:, hand, None] * (width, height, height)


def rest_offsets(side: Side) -> np.ndarray:
    """List the offsets (21, 3) of 16 joints and 5 tips from their parents, in hand lengths."""
    offsets = np.zeros((21, 3))
    for finger, (root, bones, direction) in enumerate(zip(_ROOTS, _BONES, _DIRECTIONS, strict=True)):
        along = np.array(direction) / np.linalg.norm(direction)
        first = 3 * finger + 1
        offsets[first] = root
        offsets[[first + 1, first + 2, 16 + finger]] = np.array(bones)[:, None] * along
    return offsets * ((-1.0, 1.0, 1.0) if side == "left" else 1.0)


def rotation_matrices(axis_angle: np.ndarray) -> np.ndarray:
    """Turn axis-angle vectors (..., 3) into matrices (..., 3, 3) by Rodrigues' formula."""
    angle = np.linalg.norm(axis_angle, axis=-1)[..., None, None]
    axis = axis_angle / np.maximum(angle[..., 0], 1e-12)
    x, y, z = np.moveaxis(axis, -1, 0)
    none = np.zeros_like(x)
    cross = np.stack([none, -z, y, z, none, -x, -y, x, none], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)


def axis_angles(matrices: np.ndarray) -> np.ndarray:
    """Turn matrices (..., 3, 3) into axis-angle vectors (..., 3) with an angle of 0 to pi.

    Goes through the largest quaternion component, because the sine formula loses the axis near pi.
    """
    m = matrices
    diagonal = np.stack([m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    w, x, y, z = 1 + diagonal.sum(-1), *(1 + 2 * diagonal[..., i] - diagonal.sum(-1) for i in range(3))
    yz, xz, xy = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    a, b, c = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = np.stack([w, yz, xz, xy, yz, x, a, b, xz, a, y, c, xy, b, c, z], axis=-1).reshape(*w.shape, 4, 4)
    largest = np.argmax(np.stack([w, x, y, z], axis=-1), axis=-1)
    quaternion = np.take_along_axis(rows, largest[..., None, None], axis=-2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    sine = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternion[..., :1])
    return quaternion[..., 1:] * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 2.0)


def unwrapped(axis_angle_F3: np.ndarray) -> np.ndarray:
    """Choose of two equal vectors the one nearer to the frame before, so that a track (F, 3) has no jumps."""
    result = np.array(axis_angle_F3)
    for frame in range(1, len(result)):
        angle = np.linalg.norm(result[frame])
        if angle > 1e-6:
            other = result[frame] * (1.0 - 2.0 * np.pi / angle)
            before = result[frame - 1]
            if np.linalg.norm(other - before) < np.linalg.norm(result[frame] - before):
                result[frame] = other
    return result
