"""Draw a few curves over the frames of a clip as a picture, for a look at a result.

40 |      ___
   |  ___/   \\__   left
 0 |_____________
   1           24
"""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

WIDTH_PX, HEIGHT_PX = 640, 320
_LEFT, _TOP, _RIGHT, _BOTTOM = 48, 36, 16, 28  # margins around the curves, in px
_BACKGROUND, _INK, _GRID = (24, 24, 28), (220, 220, 220), (70, 70, 76)
_COLOURS = ((92, 164, 255), (255, 170, 70), (120, 210, 130), (230, 120, 200))
_DOT_PX = 2
_MOST_DOTS = 48  # with more frames they would run into each other


def draw_curves(curves: Mapping[str, np.ndarray], *, title: str) -> np.ndarray:
    """Draw each curve with its name and mean; the vertical axis begins at 0.

    Shapes:   each curve (F,), one value per frame, all of one length; result (320, 640, 3) uint8
    """
    picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    frames = len(next(iter(curves.values())))
    top = max(float(values_F.max(initial=0.0)) for values_F in curves.values()) or 1.0
    _axes(pen, title=title, top=top, frames=frames)
    for at, (name, values_F) in enumerate(curves.items()):
        colour = _COLOURS[at % len(_COLOURS)]
        places = _places(values_F, top=top)
        if frames > 1:
            pen.line(places, fill=colour, width=2)
        for x, y in places if frames <= _MOST_DOTS else ():
            pen.ellipse((x - _DOT_PX, y - _DOT_PX, x + _DOT_PX, y + _DOT_PX), fill=colour)
        pen.text((WIDTH_PX - 300 + 150 * at, 10), f"{name}, mean {values_F.mean():.1f}", fill=colour)
    return np.asarray(picture)


def _axes(pen: ImageDraw.ImageDraw, *, title: str, top: float, frames: int) -> None:
    pen.text((_LEFT, 10), title, fill=_INK)
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT_PX - _BOTTOM - share * (HEIGHT_PX - _TOP - _BOTTOM)
        pen.line((_LEFT, y, WIDTH_PX - _RIGHT, y), fill=_GRID)
        pen.text((8, y - 6), f"{share * top:.1f}", fill=_INK)
    pen.text((_LEFT, HEIGHT_PX - 20), "frame 1", fill=_INK)
    pen.text((WIDTH_PX - _RIGHT - 40, HEIGHT_PX - 20), str(frames), fill=_INK)


def _places(values_F: np.ndarray, *, top: float) -> list[tuple[float, float]]:
    """Spread the frames over the width; a single one is in the middle."""
    across = np.linspace(0, 1, len(values_F)) if len(values_F) > 1 else np.array([0.5])
    x = _LEFT + across * (WIDTH_PX - _LEFT - _RIGHT)
    y = HEIGHT_PX - _BOTTOM - values_F / top * (HEIGHT_PX - _TOP - _BOTTOM)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
