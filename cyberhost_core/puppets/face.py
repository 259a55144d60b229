"""Place the face: 68 iBUG landmarks and the drawn outlines, from one geometry, so that both agree exactly.

    identity (proportions) + mouth + blink + brows -> shapes around the head's middle -> turn, tilt, shift
    -> picture

All lengths are pixels of a 128 high picture ("units" below), y down; the head's middle is at eye height.
"""

from dataclasses import dataclass

import numpy as np

from .identity import Identity
from .mouth import MouthShape
from .performance import BodyMotion

HEAD_MIDDLE = (48.0, 36.0)
HALF_WIDTH, HALF_HEIGHT = 18.0, 21.0
MOUTH_Y, NOSE_Y, EYE_X, EYE_Y = 11.3, 6.2, 7.5, -1.5
MAX_OPENING = 8.5  # pixels between the inner lips at opening 1
UPPER_SHARE = 0.2  # of the opening goes up, the rest down with the jaw
JAW_DROP = 1.8
YAW, NOD = 2.6, 1.8  # how far the nose moves at full turn
CORNER = 1.3  # the lips reach this much further than the opening
UPPER_LIP, LOWER_LIP = 1.5, 1.9

_OUTLINE_POINTS, _LIP_POINTS, _EYE_POINTS = 40, 13, 16
# Shares of the half width at which the five upper (or lower) lip landmarks and three inner ones stand.
_OUTER_AT = np.array((-0.66, -0.3, 0.0, 0.3, 0.66))
_INNER_AT = np.array((-0.5, 0.0, 0.5))


@dataclass(frozen=True)
class Face:
    """Hold face geometry over F frames, in the picture.

    Shapes:   landmarks_FK2 (F, 68, 2); head_FP2, inner_lips_FP2, outer_lips_FP2 closed outlines; eyes_F2P2
              (F, 2, P, 2) and irises_F2E (F, 2, 2), the picture's left eye first; axes_F22 the head's x and
              y axis
    Units:    pixels of a 128 high picture
    """

    landmarks_FK2: np.ndarray
    head_FP2: np.ndarray
    inner_lips_FP2: np.ndarray
    outer_lips_FP2: np.ndarray
    eyes_F2P2: np.ndarray
    irises_F2E: np.ndarray
    middle_F2: np.ndarray
    axes_F22: np.ndarray

    def at(self, local: np.ndarray, frame: int) -> np.ndarray:
        """Carry points (P, 2) of the head's own axes into a frame of the picture."""
        return self.middle_F2[frame] + np.asarray(local) @ self.axes_F22[frame]


def face_geometry(identity: Identity, *, motion: BodyMotion, mouth: MouthShape) -> Face:
    """Build the face of every frame."""
    opening = mouth.opening_F * MAX_OPENING
    middle = np.array(HEAD_MIDDLE) + motion.offset_F2 + motion.nod_F[:, None] * (0.0, 0.9)
    cos, sin = np.cos(motion.tilt_F), np.sin(motion.tilt_F)
    axes = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=1)
    shift = np.stack([YAW * motion.yaw_F, NOD * motion.nod_F], axis=-1)

    def place(local_FP2: np.ndarray, nearness: float) -> np.ndarray:
        return middle[:, None] + (local_FP2 + nearness * shift[:, None]) @ axes

    inner, outer, lip_marks = _lips(identity, opening, mouth.width_F)
    eyes, eye_marks = _eyes(identity, motion.blink_F)
    head, jaw_marks = _head(identity, mouth.opening_F)
    marks = [
        place(jaw_marks, 0.0),
        place(_brows(identity, motion.brow_F), 0.8),
        place(_nose(identity, len(opening)), 1.2),
        place(eye_marks, 0.8),
        place(lip_marks, 1.0),
    ]
    sides = np.array([[-1.0, 1.0]]) * EYE_X * identity.eye_spacing_size
    irises = np.stack([np.repeat(sides, len(opening), 0), np.full((len(opening), 2), EYE_Y)], -1)
    return Face(
        landmarks_FK2=np.concatenate(marks, axis=1),
        head_FP2=place(head, 0.0),
        inner_lips_FP2=place(inner, 1.0),
        outer_lips_FP2=place(outer, 1.0),
        eyes_F2P2=np.stack([place(eye, 0.8) for eye in eyes], axis=1),
        irises_F2E=place(irises, 1.05),
        middle_F2=middle,
        axes_F22=axes,
    )


def _lips(
    identity: Identity, opening: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outline the opening and the lips; list landmarks 48-67 on these outlines.

    The opening's height at x is opening * (1 - |x / half width|^2.4), so that landmarks 62 and 66 are exactly
    `opening` apart.
    """
    half = (3.9 + 2.4 * width) * identity.mouth_size
    outer_half = half + CORNER
    top, bottom = -UPPER_SHARE * opening, (1.0 - UPPER_SHARE) * opening
    across = np.linspace(-1.0, 1.0, _LIP_POINTS)

    def curve(at: np.ndarray, half_F: np.ndarray, peak_F: np.ndarray) -> np.ndarray:
        y = MOUTH_Y + peak_F[:, None] * (1.0 - np.abs(at) ** 2.4)
        return np.stack([at * half_F[:, None], y], axis=-1)

    inner = np.concatenate([curve(across, half, top), curve(across[-2:0:-1], half, bottom)], axis=1)
    upper, lower = top - UPPER_LIP * identity.mouth_size, bottom + LOWER_LIP * identity.mouth_size
    outer = np.concatenate(
        [curve(across, outer_half, upper), curve(across[-2:0:-1], outer_half, lower)], axis=1
    )
    corner = np.array((1.0,))
    marks = [
        curve(-corner, outer_half, upper),
        curve(_OUTER_AT, outer_half, upper),
        curve(corner, outer_half, upper),
        curve(-_OUTER_AT, outer_half, lower),
        curve(-corner, half, top),
        curve(_INNER_AT, half, top),
        curve(corner, half, top),
        curve(-_INNER_AT, half, bottom),
    ]
    return inner, outer, np.concatenate(marks, axis=1)


def _eyes(identity: Identity, blink: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Outline both eyes, flattened to a lid line by blinks; list landmarks 36-47."""
    turn = np.linspace(0, 2 * np.pi, _EYE_POINTS, endpoint=False)
    marks_at = np.deg2rad([180.0, 240.0, 300.0, 0.0, 60.0, 120.0])
    half_w, half_h = 4.1 * identity.eye_size, 2.7 * identity.eye_size * (1.0 - blink)

    def ellipse(side: float, angles: np.ndarray) -> np.ndarray:
        x = side * EYE_X * identity.eye_spacing_size + half_w * np.cos(angles)
        y = EYE_Y + half_h[:, None] * np.sin(angles)
        return np.stack([np.broadcast_to(x, y.shape), y], axis=-1)

    return [ellipse(side, turn) for side in (-1.0, 1.0)], np.concatenate(
        [ellipse(-1, marks_at), ellipse(1, marks_at)], 1
    )


def _head(identity: Identity, opening: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outline the head; list the jaw landmarks 0-16 on it. The chin drops as the mouth opens."""

    def contour(angle: np.ndarray) -> np.ndarray:
        x = np.cos(angle) * np.where(
            np.sin(angle) > 0, 1.0 - (1.0 - identity.jaw_size) * np.sin(angle) ** 2 * 0.5, 1.0
        )
        y = np.sin(angle)
        drop = JAW_DROP * opening[:, None] * np.clip(y, 0, None) ** 2
        points = np.stack(
            [x * HALF_WIDTH * identity.head_width_size, y * HALF_HEIGHT * identity.head_height_size], -1
        )
        return points + np.stack([np.zeros_like(drop), drop], axis=-1)

    return contour(np.linspace(0, 2 * np.pi, _OUTLINE_POINTS, endpoint=False)), contour(
        np.linspace(np.pi, 0, 17)
    )


def _brows(identity: Identity, lift: np.ndarray) -> np.ndarray:
    """List landmarks 17-26: two arcs above the eyes that rise with `lift`."""
    along = np.linspace(-1, 1, 5)
    arc = EYE_Y - 5.2 - 1.2 * (1 - along**2) - lift[:, None]
    x = EYE_X * identity.eye_spacing_size + 4.4 * along
    left = np.stack([np.broadcast_to(x - 2 * EYE_X * identity.eye_spacing_size, arc.shape), arc], -1)
    return np.concatenate([left, np.stack([np.broadcast_to(x, arc.shape), arc], -1)], axis=1)


def _nose(identity: Identity, frames: int) -> np.ndarray:
    """List landmarks 27-35: bridge, then the nostrils' line."""
    wide = 3.0 * identity.nose_size
    bridge = np.stack([np.zeros(4), np.linspace(EYE_Y, NOSE_Y - 1.2, 4)], axis=-1)
    base = np.stack([np.linspace(-wide, wide, 5), NOSE_Y - 0.8 * np.abs(np.linspace(-1, 1, 5))], axis=-1)
    return np.repeat(np.concatenate([bridge, base])[None], frames, axis=0)
