"""Draw a picture at twice its size with smooth edges, then shrink it: the only place that knows OpenCV.

Coordinates are pixels of a 128 high picture, measured from its upper left corner (so 0.5 is the middle of
the first pixel); the canvas turns them into its own pixels, which makes every drawing independent of the
resolution.
"""

from functools import lru_cache
from itertools import pairwise
from types import ModuleType

import numpy as np

from ..errors import require_extra
from .identity import Colour

OVERSAMPLING = 2
_FRACTION_BITS = 4


def opencv() -> ModuleType:
    """Import OpenCV where it is needed, because the library must load without it.

    Raises:   MissingExtraError: it is not installed
    """
    try:
        import cv2
    except ImportError as error:
        raise require_extra("opencv-python-headless", extra="detect", purpose="Drawing puppets") from error
    return cv2


class Canvas:
    """Draw filled shapes and round strokes onto pixels of a picture of height x width.

    Shapes:   pixels (height * 2, width * 2, 3) uint8 RGB
    """

    def __init__(self, *, height: int, width: int):
        self.height, self.width = height, width
        self.scale = OVERSAMPLING * height / 128.0
        self.pixels = np.zeros((height * OVERSAMPLING, width * OVERSAMPLING, 3), np.uint8)
        self._cv2 = opencv()

    def copy(self) -> "Canvas":
        """Branch off a canvas, for what is drawn several times over the same ground."""
        branch = Canvas(height=self.height, width=self.width)
        branch.pixels[:] = self.pixels
        return branch

    def fill(self, outline_P2: np.ndarray, colour: Colour) -> None:
        """Fill a closed outline."""
        self._cv2.fillPoly(self.pixels, [self._fixed(outline_P2)], colour, self._cv2.LINE_AA, _FRACTION_BITS)

    def stroke(self, line_P2: np.ndarray, colour: Colour, *, width: float) -> None:
        """Draw a line with round ends and joints."""
        thick = max(1, round(width * self.scale))
        line = [self._fixed(line_P2)]
        self._cv2.polylines(self.pixels, line, False, colour, thick, self._cv2.LINE_AA, _FRACTION_BITS)

    def dot(self, centre: np.ndarray, radius: float, colour: Colour) -> None:
        """Draw a filled disc."""
        x, y = self._fixed(np.asarray(centre)).tolist()
        radius_fixed = round(max(radius * self.scale - 0.5, 0.3) * (1 << _FRACTION_BITS))
        self._cv2.circle(self.pixels, (x, y), radius_fixed, colour, -1, self._cv2.LINE_AA, _FRACTION_BITS)

    def picture(self) -> np.ndarray:
        """Shrink to the picture's own size (height, width, 3)."""
        return self._cv2.resize(self.pixels, (self.width, self.height), interpolation=self._cv2.INTER_AREA)

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        return np.rint((np.asarray(points) * self.scale - 0.5) * (1 << _FRACTION_BITS)).astype(np.int32)


def ellipse(
    centre: tuple[float, float], half_width: float, half_height: float, *, points: int = 24
) -> np.ndarray:
    """Outline an ellipse (points, 2)."""
    return np.array(centre) + _circle(points) * (half_width, half_height)


def hull(points_P2: np.ndarray, *, radius: float) -> np.ndarray:
    """Wrap discs of one radius around points tightly: a convex outline with round corners."""
    rim = ellipse((0.0, 0.0), radius, radius, points=12)
    cloud = (np.asarray(points_P2)[:, None] + rim).reshape(-1, 2).astype(np.float32)
    return opencv().convexHull(cloud)[:, 0]


def limb(points_P2: np.ndarray, radii: tuple[float, ...]) -> list[np.ndarray]:
    """Wrap a chain of points with changing thickness: one convex outline per bone."""
    rims = [point + ellipse((0, 0), r, r, points=12) for point, r in zip(points_P2, radii, strict=True)]
    return [opencv().convexHull(np.concatenate(pair).astype(np.float32))[:, 0] for pair in pairwise(rims)]


@lru_cache
def _circle(points: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
