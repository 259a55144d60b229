"""Draw the background, the torso in its clothes, and the sleeves."""

import numpy as np

from .canvas import Canvas, ellipse, hull, limb
from .identity import Identity, darker

SLEEVE_RADII = (7.4, 6.0, 4.6)  # shoulder, elbow, cuff


def draw_background(canvas: Canvas, identity: Identity) -> None:
    """Fill the canvas with the identity's background; it is the same in every frame."""
    height, width = canvas.pixels.shape[:2]
    canvas.pixels[:] = identity.background
    a, b, c = identity.background_layout
    if identity.background_style == "gradient":
        y, x = np.mgrid[0:height, 0:width]
        along = np.cos(np.pi * a) * (x / width - 0.5) + np.sin(np.pi * a) * (y / height - 0.5)
        share = np.clip(along + 0.5, 0, 1)
        first, second = np.array(identity.background), np.array(identity.background_second)
        canvas.pixels[:] = (first + share[..., None] * (second - first)).astype(np.uint8)
    if identity.background_style == "circles":
        for x, y, radius in ((8 + 20 * a, 14 + 20 * b, 7 + 9 * c), (88 - 16 * b, 40 + 30 * c, 6 + 10 * a)):
            canvas.fill(ellipse((x, y), radius, radius), identity.background_second)
    if identity.background_style == "window":
        left, top, size = (4.0 if a < 0.5 else 68.0), 8 + 10 * b, 20 + 8 * c
        canvas.fill(_box((left, top), (left + 24, top + size)), identity.background_second)
        canvas.fill(_box((left + 11, top), (left + 13, top + size)), identity.background)
    if identity.background_style == "panels":
        step = 16 + 14 * b
        for left in np.arange(step * a, 96, 2 * step):
            canvas.fill(_box((left, 0), (left + step, 130)), identity.background_second)


def draw_torso(canvas: Canvas, identity: Identity, *, neck: np.ndarray) -> None:
    """Draw the torso, which hangs on the thorax point `neck` (2,)."""
    outline = neck + _torso(identity.shoulder_size)
    canvas.fill(outline, identity.clothes)
    _DETAILS[identity.clothes_style](canvas, identity, neck)


def draw_sleeve(canvas: Canvas, identity: Identity, arm_J2: np.ndarray) -> None:
    """Draw an arm in its sleeve: shoulder, elbow, wrist (3, 2)."""
    sleeve = darker(identity.clothes, 0.84)
    radii = tuple(radius * (0.5 + 0.5 * identity.shoulder_size) for radius in SLEEVE_RADII)
    rims = tuple(radius + 0.7 for radius in radii)
    joints = np.concatenate([arm_J2[:2], arm_J2[1:2] + 0.93 * (arm_J2[2:] - arm_J2[1:2])])
    for outline in limb(joints, rims):
        canvas.fill(outline, darker(identity.clothes, 0.55))
    for outline in limb(joints, radii):
        canvas.fill(outline, sleeve)
    canvas.stroke(joints[2:] + np.array([(-0.01, 0.0), (0.01, 0.0)]), identity.trim, width=2 * radii[2] - 1.0)


def _torso(size: float) -> np.ndarray:
    wide, waist = 25.0 * size, 20.0 * size
    top = [(6.0, -3.0), (wide * 0.62, 0.0), (wide * 0.9, 3.0), (wide, 9.0)]
    half = [*top, (waist, 40.0), (waist + 1, 90.0)]
    return np.array([*half, *[(-x, y) for x, y in reversed(half)]])


def _draw_neckline(canvas: Canvas, identity: Identity, neck: np.ndarray) -> None:
    canvas.fill(neck + ellipse((0.0, -2.0), 8.0, 5.0), identity.trim)
    canvas.fill(neck + ellipse((0.0, -2.6), 6.4, 3.9), identity.skin)


def _draw_stripes(canvas: Canvas, identity: Identity, neck: np.ndarray) -> None:
    for top in (8.0, 19.0, 30.0, 41.0, 52.0, 63.0):
        half = identity.shoulder_size * np.interp([top, top + 4.0], [9.0, 40.0], [24.0, 19.5])
        band = np.array([(-half[0], top), (half[0], top), (half[1], top + 4.0), (-half[1], top + 4.0)])
        canvas.fill(neck + band, identity.trim)
    _draw_neckline(canvas, identity, neck)


def _draw_collar(canvas: Canvas, identity: Identity, neck: np.ndarray) -> None:
    canvas.fill(neck + np.array([(-6.5, -3.0), (6.5, -3.0), (0.0, 9.0)]), identity.skin)
    for side in (-1.0, 1.0):
        flap = np.array([(side * 5.5, -4.5), (side * 10.0, -1.0), (side * 7.0, 8.0), (0.0, 9.0)])
        canvas.fill(neck + flap, identity.trim)
    canvas.stroke(neck + np.array([(0.0, 9.0), (0.0, 70.0)]), darker(identity.clothes, 0.6), width=0.9)


def _draw_jacket(canvas: Canvas, identity: Identity, neck: np.ndarray) -> None:
    canvas.fill(neck + np.array([(-7.5, -3.0), (7.5, -3.0), (5.0, 70.0), (-5.0, 70.0)]), identity.trim)
    for side in (-1.0, 1.0):
        lapel = np.array([(side * 6.0, -4.0), (side * 12.0, 2.0), (side * 10.5, 14.0), (side * 4.5, 30.0)])
        canvas.fill(neck + lapel, darker(identity.clothes, 0.66))
    canvas.fill(hull(neck + np.array([(-3.5, -3.0), (3.5, -3.0), (0.0, 0.0)]), radius=1.5), identity.skin)


def _box(corner: tuple[float, float], opposite: tuple[float, float]) -> np.ndarray:
    (left, top), (right, bottom) = corner, opposite
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


_DETAILS = {"plain": _draw_neckline, "stripes": _draw_stripes, "collar": _draw_collar, "jacket": _draw_jacket}
