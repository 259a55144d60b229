"""Draw the head: hair behind, neck, skull, eyes, brows, nose, mouth, hair in front, glasses."""

import numpy as np

from .canvas import Canvas, ellipse, hull
from .face import EYE_X, EYE_Y, HALF_HEIGHT, HALF_WIDTH, Face
from .identity import Identity, darker

MOUTH_DARK = (34, 6, 10)
TEETH = (250, 248, 240)
TONGUE = (150, 44, 56)
EYE_WHITE = (250, 250, 248)
GLASSES = (26, 26, 34)
_TEETH_FROM, _TONGUE_FROM = 1.3, 3.8  # openings in pixels of a 128 high picture


def draw_back_hair(canvas: Canvas, identity: Identity, face: Face, *, frame: int) -> None:
    """Draw the hair that lies behind the torso and the head."""
    wide, tall = HALF_WIDTH * identity.head_width_size, HALF_HEIGHT * identity.head_height_size
    crown = [(-wide, -6), (wide, -6), (0, -tall + 3)]
    outlines = {
        "afro": ellipse((0, -6), wide * 1.36, tall * 1.12),
        "bob": hull(np.array([*crown, (-wide, 13), (wide, 13)]), radius=4.0),
        "long": hull(np.array([*crown, (-wide - 2, 34), (wide + 2, 34)]), radius=4.0),
        "bun": ellipse((0, -tall - 3), 7.5, 6.5),
        "mohawk": hull(np.array([(0, -tall - 3), (0, 0)]), radius=4.0),
    }
    if identity.hair_style in outlines:
        canvas.fill(face.at(outlines[identity.hair_style], frame), identity.hair)


def draw_head(canvas: Canvas, identity: Identity, face: Face, *, frame: int, neck: np.ndarray) -> None:
    """Draw everything of the head that lies over the torso.

    Shapes:   neck (2,) the thorax point, pixels of a 128 high picture
    """
    shade = darker(identity.skin, 0.86)
    chin = face.landmarks_FK2[frame, 8]
    half = np.array((1.5, 0.0))
    canvas.fill(hull(np.stack([chin - np.array((0, 9)), neck - half, neck + half]), radius=5.5), shade)
    for side in (-1.0, 1.0):
        ear = ellipse((side * HALF_WIDTH * identity.head_width_size, 1.5), 3.0, 4.2, points=14)
        canvas.fill(face.at(ear, frame), shade)
    canvas.fill(face.head_FP2[frame], identity.skin)
    _draw_nose(canvas, identity, face.landmarks_FK2[frame])
    _draw_eyes(canvas, identity, face, frame=frame)
    _draw_mouth(canvas, identity, face, frame=frame)
    _draw_front_hair(canvas, identity, face, frame=frame)
    for brow in (face.landmarks_FK2[frame, 17:22], face.landmarks_FK2[frame, 22:27]):
        canvas.stroke(brow, identity.brows, width=1.6)
    if identity.glasses:
        _draw_glasses(canvas, identity, face, frame=frame)


def _draw_mouth(canvas: Canvas, identity: Identity, face: Face, *, frame: int) -> None:
    """Draw lips, then the opening with teeth and tongue; a shut mouth is a dark line between the lips."""
    inner, marks = face.inner_lips_FP2[frame], face.landmarks_FK2[frame]
    opening = float(np.linalg.norm(marks[62] - marks[66]))
    canvas.fill(face.outer_lips_FP2[frame], identity.lips)
    canvas.stroke(marks[[60, 61, 62, 63, 64]], MOUTH_DARK, width=0.7)
    if opening < 0.4:
        return
    canvas.fill(inner, MOUTH_DARK)
    down = (marks[66] - marks[62]) / opening
    if opening > _TONGUE_FROM:
        middle = marks[66] - down * 0.2 * opening
        half = np.array((1.4, 0.0))
        canvas.fill(hull(np.stack([middle - half, middle + half]), radius=0.11 * opening), TONGUE)
    if opening > _TEETH_FROM:
        canvas.fill(_teeth(inner, down, height=min(1.9, 0.3 * opening)), TEETH)


def _teeth(inner_P2: np.ndarray, down: np.ndarray, *, height: float) -> np.ndarray:
    """Cut the top off the opening by a straight line `height` below its highest point."""
    edge = inner_P2[: len(inner_P2) // 2 + 1]
    depth = (edge - edge[len(edge) // 2]) @ down
    inside = depth < height
    lower = edge + np.maximum(height - depth, 0.0)[:, None] * down
    return np.concatenate([edge[inside], lower[inside][::-1]])


def _draw_eyes(canvas: Canvas, identity: Identity, face: Face, *, frame: int) -> None:
    lid = darker(identity.skin, 0.5)
    for side in range(2):
        outline = face.eyes_F2P2[frame, side]
        half_height = float(np.ptp(outline[:, 1])) / 2
        canvas.stroke(np.concatenate([outline, outline[:1]]), lid, width=1.0)
        if half_height < 0.7:
            continue
        canvas.fill(outline, EYE_WHITE)
        iris = face.irises_F2E[frame, side]
        canvas.dot(iris, min(2.1 * identity.eye_size, half_height), identity.eyes)
        canvas.dot(iris, min(1.05, half_height), (12, 10, 12))


def _draw_nose(canvas: Canvas, identity: Identity, marks: np.ndarray) -> None:
    shade = darker(identity.skin, 0.74)
    canvas.stroke(marks[[31, 33, 35]], shade, width=1.5)
    canvas.stroke(marks[[28, 30]] + (0.9 * identity.nose_size, 0), darker(identity.skin, 0.86), width=1.1)


def _draw_front_hair(canvas: Canvas, identity: Identity, face: Face, *, frame: int) -> None:
    """Draw a cap over the skull down to the style's hair line."""
    lines = {"short": -11.0, "fringe": -7.6, "bob": -9.0, "long": -10.5, "bun": -12.0, "afro": -10.5}
    if identity.hair_style not in lines:
        return
    wide, tall = HALF_WIDTH * identity.head_width_size + 1.2, HALF_HEIGHT * identity.head_height_size + 1.6
    line = lines[identity.hair_style]
    start = np.arcsin(-line / tall) - 0.28
    arc = np.linspace(np.pi + start, 2 * np.pi - start, 18)
    cap = np.stack([wide * np.cos(arc), tall * np.sin(arc)], axis=-1)
    parting = 0.35 if identity.seed % 2 else -0.35
    across = np.array((0.86, 0.45, parting, -0.45, -0.86))
    hair_line = np.stack([wide * across, line + np.array((0.5, -0.8, -2.6, -0.8, 0.5))], axis=-1)
    canvas.fill(face.at(np.concatenate([cap, hair_line]), frame), identity.hair)


def _draw_glasses(canvas: Canvas, identity: Identity, face: Face, *, frame: int) -> None:
    spread = EYE_X * identity.eye_spacing_size
    for side in (-1.0, 1.0):
        rim = face.at(ellipse((side * spread, EYE_Y), 6.0, 4.8, points=20), frame)
        canvas.stroke(np.concatenate([rim, rim[:1]]), GLASSES, width=1.0)
    bridge = np.array([(-spread + 6, EYE_Y - 1), (spread - 6, EYE_Y - 1)])
    canvas.stroke(face.at(bridge, frame), GLASSES, width=1.0)
