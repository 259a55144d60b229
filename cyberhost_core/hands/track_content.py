"""What a hand track file holds, whichever form it has: named arrays, a rate, a canvas, a source in words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MediaError, PoseError
from ..types import BODY_POINTS, HAND_POINTS
from .parameters import OFFSET_NUMBERS, STANDARD_SIZE_FRAC, HandParameters

FORMAT = "cyberhost-hand-track-1"
POINTS = {"left": HAND_POINTS, "right": HAND_POINTS, "body": BODY_POINTS}
GIVE = "give a file that Save Hand Track wrote"


@dataclass(frozen=True, eq=False)
class TrackContent:
    """Hold a track as a file does.

    Shapes:   points: left, right (F, 21, 3), body (F, 18, 3); parameters None where no frame has them
    Units:    px of a canvas of width x height
    """

    points: dict[str, np.ndarray]
    parameters: HandParameters | None
    fps: float
    width: int
    height: int
    source: str


def checked_canvas(canvas: Any, path: Path) -> tuple[int, int]:
    """Check [width, height]."""
    sides = canvas if isinstance(canvas, list) else []
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise MediaError(
            f"{path} has the canvas {canvas!r}, but [width, height] in whole pixels was expected; {GIVE}."
        )
    return sides[0], sides[1]


def checked_fps(fps: Any, path: Path) -> float:
    """Check a rate."""
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps < float("inf"):
        raise MediaError(f"{path} has the rate {fps!r}, but frames per second above 0 were expected; {GIVE}.")
    return float(fps)


def checked_format(found: Any, path: Path) -> None:
    """Check the format's name."""
    if found != FORMAT:
        raise MediaError(
            f"{path} is no hand track: its format is {found!r}, but {FORMAT!r} was expected; {GIVE}, or one "
            "of another program that docs/hand-tracks.md lists."
        )


def checked_rows(rows: Any, place: str, *, count: int) -> np.ndarray:
    """Check one part's points (count, 3)."""
    points_KC = _numbers(rows, place)
    if points_KC.shape != (count, 3):
        raise MediaError(
            f"{place} has the shape {list(points_KC.shape)}, but {count} points [x, y, score] were expected; "
            f"{GIVE}."
        )
    if not np.isfinite(points_KC).all():
        raise MediaError(f"{place} holds values that are not numbers, but pixels were expected; {GIVE}.")
    return points_KC


def checked_row(row: Any, place: str, *, count: int) -> np.ndarray:
    """Check `count` numbers in a row."""
    numbers_D = _numbers(row, place)
    if numbers_D.shape != (count,) or not np.isfinite(numbers_D).all():
        raise MediaError(
            f"{place} has the shape {list(numbers_D.shape)} or values that are not numbers, but {count} "
            f"finite ones were expected; {GIVE}."
        )
    return numbers_D


def checked_parameters(
    arrays: dict[str, np.ndarray], path: Path, *, fps: float, source: str
) -> HandParameters:
    """Build parameters from a file's arrays: vectors, valid, and where it has them sizes, offset, limbs."""
    frames = len(arrays["vectors"])
    try:
        return HandParameters(
            arrays["vectors"],
            arrays["valid"],
            fps=fps,
            source=source,
            sizes_frac_FH=arrays.get("sizes", np.full((1, 2), STANDARD_SIZE_FRAC)),
            offset_FD=arrays.get("offset", np.zeros((1, OFFSET_NUMBERS))),
            limbs_FKC=arrays.get("limbs"),
        )
    except PoseError as error:
        raise MediaError(f"{path} cannot be used, frames 0 to {frames - 1}: {error}") from error


def _numbers(rows: Any, place: str) -> np.ndarray:
    try:
        return np.array(rows, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise MediaError(f"{place} holds something else than rows of numbers; {GIVE}.") from error
