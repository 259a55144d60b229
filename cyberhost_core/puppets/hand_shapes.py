"""Name a dozen hand shapes and write them as MANO rotations.

shape  six numbers: curls of four fingers, thumb folded in, fingers spread
turn   three angles: tilt to the midline, pitch to the viewer, turn about the forearm  --> 16 rotations
"""

import numpy as np

from ..hands.rotations import axis_angles, rotation_matrices, unwrapped
from ..hands.skeleton import Side

# Curl of index, middle, ring, pinky; thumb folded in; fingers spread. 0 straight, 1 fully bent.
HAND_SHAPES = {
    "open": (0.04, 0.04, 0.05, 0.06, 0.0, 0.6),
    "flat": (0.0, 0.0, 0.0, 0.0, 0.3, 0.25),
    "relaxed": (0.14, 0.2, 0.25, 0.28, 0.25, 0.4),
    "spread": (0.0, 0.0, 0.0, 0.0, -0.2, 1.0),
    "point": (0.0, 0.92, 0.96, 1.0, 0.6, 0.3),
    "fist": (0.95, 1.0, 1.0, 0.95, 0.8, 0.1),
    "ok": (0.56, 0.1, 0.05, 0.03, 0.5, 0.8),
    "two": (0.0, 0.0, 0.95, 1.0, 0.7, 0.8),
    "three": (0.0, 0.0, 0.0, 1.0, 0.7, 0.7),
    "cup": (0.34, 0.34, 0.34, 0.34, 0.2, 0.7),
    "thumb": (0.92, 1.0, 1.0, 0.95, -0.3, 0.1),
    "gun": (0.0, 0.9, 1.0, 1.0, -0.25, 0.3),
}

BENDS_DEG = (80.0, 100.0, 65.0)  # knuckle, middle joint, end joint of a fully curled finger
# In MANO's order of fingers: column of the shape that curls it, fan at rest, more fan when spread.
_FINGERS = ((0, 3.0, 13.0), (1, 1.0, 4.0), (3, -4.0, -18.0), (2, -2.0, -7.0))
_THUMB_IN, _THUMB_OVER, _THUMB_BENDS = 0.5, 0.7, (0.6, 0.5)  # radians of a thumb that is folded in

# The right hand's fingers up, palm to the viewer: x -> -y, y -> -z, z -> x turns the rest axes.
_UP_PALM_OUT = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def hand_rotations(turn_deg_F3: np.ndarray, shape_F6: np.ndarray, *, side: Side) -> np.ndarray:
    """Write wrist turns and hand shapes as MANO rotations.

    Shapes:   turn_deg_F3 (F, 3): tilt, pitch, turn; shape_F6 (F, 6) as in HAND_SHAPES; result (F, 16, 3)
    Units:    degrees in, axis-angle in radians out; turn 0 shows the palm, 180 the back of the hand
    """
    tilt, pitch, turn = np.deg2rad(turn_deg_F3).T
    rotations = np.zeros((len(shape_F6), 16, 3))
    rotations[:, 0] = axis_angles(about(-tilt, 2) @ about(pitch, 0) @ about(turn, 1) @ _UP_PALM_OUT)
    for finger, (column, fan, spread) in enumerate(_FINGERS):
        fan_deg = fan + spread * shape_F6[:, 5]
        rotations[:, 1 + 3 * finger : 4 + 3 * finger] = _finger(shape_F6[:, column], np.deg2rad(fan_deg))
    rotations[:, 13:] = _thumb(shape_F6[:, 4])
    if side == "left":
        rotations *= (1.0, -1.0, -1.0)  # mirror image in x
    rotations[:, 0] = unwrapped(rotations[:, 0])
    return rotations


def about(angle_F: np.ndarray, axis: int) -> np.ndarray:
    """Build matrices (F, 3, 3) of a turn about one axis, radians."""
    return rotation_matrices(np.asarray(angle_F)[:, None] * np.eye(3)[axis])


def _finger(curl_F: np.ndarray, fan_F: np.ndarray) -> np.ndarray:
    """Bend three joints by one curl. A curled finger cannot fan out: its tendons hold it at the palm."""
    knuckle, middle, end = (about(curl_F * np.deg2rad(bend), 2) for bend in BENDS_DEG)
    fan = about(fan_F * (1.0 - 0.8 * np.clip(curl_F, 0, 1)), 1)
    return np.stack([axis_angles(fan @ knuckle), axis_angles(middle), axis_angles(end)], axis=1)


def _thumb(folded_F: np.ndarray) -> np.ndarray:
    """Swing the thumb along the palm and, when folded in, over it."""
    root = about(-_THUMB_IN * folded_F, 1) @ about(_THUMB_OVER * np.maximum(folded_F, 0), 0)
    ends = [axis_angles(about(-bend * folded_F, 1)) for bend in _THUMB_BENDS]
    return np.stack([axis_angles(root), *ends], axis=1)
