"""An arm of two bones from a shoulder that stays: from the wrist's place to turns, and back without loss.

wrist --two-bone inverse kinematics, elbow towards the pole--> shoulder's turn, elbow's turn, stretch
                                                          -->  --forward kinematics--> wrist

At rest an arm hangs: both bones point down (-y). Axes are the hands': x right, y up, z to the viewer.
"""

from dataclasses import dataclass

import numpy as np

from .skeleton import Side

# Of a picture of 4:3 upright, in its heights.
WIDTH = 0.75
SHOULDERS = {"left": (0.535, -0.531, 0.0), "right": (0.215, -0.531, 0.0)}
UPPER_ARM, FOREARM = 0.281, 0.234
_POLE = (0.55, -0.62, -0.55)  # elbows point outward, down and back; of a left arm


@dataclass(frozen=True, eq=False)
class ArmTurns:
    """Hold an arm over F frames.

    Shapes:   shoulder_F33, forearm_F33 (F, 3, 3) in the picture's axes; elbow_F33 in the upper arm's;
              stretch_F (F,)
    Units:    stretch: 1 within reach, above 1 where both bones are longer by that factor
    """

    shoulder_F33: np.ndarray
    elbow_F33: np.ndarray
    forearm_F33: np.ndarray
    stretch_F: np.ndarray


def arm_turns(place_F3: np.ndarray, *, side: Side) -> ArmTurns:
    """Bend an arm so that it reaches a wrist.

    Shapes:   place_F3 (F, 3)
    Units:    the translation of HandParameters
    """
    way = _in_heights(place_F3) - np.array(SHOULDERS[side])
    distance = np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-6)
    direction = way / distance
    stretch = np.maximum(1.0, distance / (UPPER_ARM + FOREARM))
    upper, fore = UPPER_ARM * stretch, FOREARM * stretch
    along = (upper**2 - fore**2 + distance**2) / (2.0 * distance)
    # A wrist nearer than the difference of the bones cannot be reached; hands before a body are not.
    aside = np.sqrt(np.maximum(upper**2 - along**2, 0.0))
    pole = np.array(_POLE) * _outward(side)
    pole = pole - (pole * direction).sum(-1, keepdims=True) * direction
    pole = pole / np.linalg.norm(pole, axis=-1, keepdims=True)
    elbow = along * direction + aside * pole
    hinge = np.cross(direction, pole)
    shoulder_F33, forearm_F33 = _frame(elbow / upper, hinge), _frame((way - elbow) / fore, hinge)
    return ArmTurns(shoulder_F33, shoulder_F33.swapaxes(-1, -2) @ forearm_F33, forearm_F33, stretch[:, 0])


def wrist_place(
    shoulder_F33: np.ndarray, elbow_F33: np.ndarray, stretch_F: np.ndarray, *, side: Side
) -> tuple[np.ndarray, np.ndarray]:
    """Follow an arm to its wrist.

    Shapes:   result: the wrist's place (F, 3) and the forearm's turn (F, 3, 3) in the picture's axes
    Units:    place: the translation of HandParameters
    """
    forearm_F33 = shoulder_F33 @ elbow_F33
    way = -(UPPER_ARM * shoulder_F33[..., 1] + FOREARM * forearm_F33[..., 1]) * stretch_F[:, None]
    x, y, z = np.moveaxis(way + np.array(SHOULDERS[side]), -1, 0)
    return np.stack([x / WIDTH, -y, z], axis=-1), forearm_F33


def _in_heights(place_F3: np.ndarray) -> np.ndarray:
    return np.asarray(place_F3, dtype=np.float64) * (WIDTH, -1.0, 1.0)


def _outward(side: Side) -> tuple[float, float, float]:
    return (1.0, 1.0, 1.0) if side == "left" else (-1.0, 1.0, 1.0)


def _frame(along_F3: np.ndarray, hinge_F3: np.ndarray) -> np.ndarray:
    """Turn a hanging bone into one that points along, its hinge axis x."""
    y = -along_F3
    return np.stack([hinge_F3, y, np.cross(hinge_F3, y)], axis=-1)
