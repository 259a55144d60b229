"""Turned square regions of a picture: what the networks of the people detector look at.

A region is x, y of its centre, its side, and its turn: how far, clockwise, its upward direction leans in the
picture. Places are counted from the corner of the first pixel here, as those networks do; keypoints of a Pose
are counted from its centre, half a pixel less.
"""

import numpy as np

from .warp import warp


def region(centre_2: np.ndarray, up_2: np.ndarray, side: float) -> np.ndarray:
    """Make a region whose upward direction is a direction of the picture.

    Shapes:   centre_2, up_2 (2,); result (4,)
    Units:    px; up_2 of any length; turn in radians
    """
    return np.array([*centre_2, side, np.arctan2(up_2[0], -up_2[1])])


def shifted(region_4: np.ndarray, *, up: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """Move a region along its own upward direction, by parts of its side, then scale it about its centre."""
    x, y, side, turn = region_4
    return np.array([x + up * side * np.sin(turn), y - up * side * np.cos(turn), side * scale, turn])


def crop(image_YXC: np.ndarray, region_4: np.ndarray, *, px: int, repeat_edge: bool = True) -> np.ndarray:
    """Cut a region out, bilinearly.

    Shapes:   image_YXC (Y, X, 3) uint8; result (px, px, 3) float32
    Units:    0..1; beyond the picture its edge is repeated, or all is black
    """
    place_23 = _image_from_crop(region_4, px=px)
    first_23 = place_23.copy()
    first_23[:, 2] += place_23[:, :2] @ (0.5, 0.5) - 0.5  # from pixels' corners to their centres
    edge = "border" if repeat_edge else "zeros"
    cut_1CYX = warp(image_YXC[None], first_23[None], height=px, width=px, beyond=edge)
    return cut_1CYX[0].permute(1, 2, 0).numpy() / 255


def in_picture(points_K2: np.ndarray, region_4: np.ndarray, *, px: int) -> np.ndarray:
    """Move places of a crop to the picture.

    Shapes:   points_K2 (K, 2); result (K, 2)
    Units:    px of the crop; px of the picture
    """
    place_23 = _image_from_crop(region_4, px=px)
    return points_K2 @ place_23[:, :2].T + place_23[:, 2]


def around(points_K2: np.ndarray, up_2: np.ndarray) -> np.ndarray:
    """The smallest region of a given turn that holds all points: its side is the longer of both extents.

    Shapes:   points_K2 (K, 2); up_2 (2,); result (4,)
    """
    turn = np.arctan2(up_2[0], -up_2[1])
    back_22 = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    upright_K2 = points_K2 @ back_22.T
    low, high = upright_K2.min(axis=0), upright_K2.max(axis=0)
    return np.array([*(back_22.T @ ((low + high) / 2)), (high - low).max(), turn])


def _image_from_crop(region_4: np.ndarray, *, px: int) -> np.ndarray:
    x, y, side, turn = region_4
    scale = side / px
    turned_22 = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.column_stack([turned_22, np.array([x, y]) - turned_22 @ (px / 2, px / 2)])
