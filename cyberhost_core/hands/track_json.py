"""The form of a hand track file that people and other programs read: JSON, one frame per line.

{"format": "cyberhost-hand-track-1", "fps": 25.0, "canvas": [96, 128], "source": "...", "frames": [
{"left": [[x, y, score] x 21], "right": ..., "body": [[x, y, score] x 18],
 "parameters": {"left": [67 numbers], "right": ..., "sizes": [2 numbers], "offset": [8 numbers],
                "limbs": [[x, y, seen] x 10]}},
...]}
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MediaError
from .parameters import (
    HAND_NUMBERS,
    LIMB_POINTS,
    OFFSET_NUMBERS,
    STANDARD_SIZE_FRAC,
    VECTOR_NUMBERS,
    HandParameters,
    resting_vectors,
)
from .skeleton import SIDES
from .track_content import (
    FORMAT,
    GIVE,
    POINTS,
    TrackContent,
    checked_canvas,
    checked_format,
    checked_fps,
    checked_parameters,
    checked_row,
    checked_rows,
)

_PARAMETER_DECIMALS = 6


def write_json(path: Path, content: TrackContent, *, decimals: int) -> None:
    """Write a track; decimals of a px are kept."""
    frames = [
        {name: _rows(points_FKC[frame], decimals) for name, points_FKC in content.points.items()}
        for frame in range(len(content.points["body"]))
    ]
    if content.parameters is not None:
        for frame, numbers in zip(frames, _parameter_frames(content.parameters), strict=True):
            frame["parameters"] = numbers
    head = {
        "format": FORMAT,
        "fps": content.fps,
        "canvas": [content.width, content.height],
        "source": content.source,
    }
    path.write_text(_one_frame_per_line(head, frames), encoding="utf-8")


def parsed_json(path: Path) -> Any:
    """Read whatever JSON a file holds.

    Raises:   MediaError: it is none
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MediaError(f"{path} cannot be read as JSON ({error}), as hand tracks are; {GIVE}.") from error


def read_json(content: Any, path: Path) -> TrackContent:
    """Read a track from a file's content.

    Raises:   MediaError: another format, wrong counts, values that are not numbers
    """
    checked_format(content.get("format") if isinstance(content, dict) else None, path)
    width, height = checked_canvas(content.get("canvas"), path)
    frames = content.get("frames")
    if not isinstance(frames, list) or not frames:
        raise MediaError(f"{path} holds no list of frames, but at least one was expected; {GIVE}.")
    points = {name: _part(frames, name, path=path) for name in POINTS}
    fps, source = checked_fps(content.get("fps"), path), str(content.get("source") or path.name)
    arrays = _parameter_arrays(frames, path)
    parameters = checked_parameters(arrays, path, fps=fps, source=source) if arrays else None
    return TrackContent(points, parameters, fps=fps, width=width, height=height, source=source)


def _rows(points_KC: np.ndarray, decimals: int) -> Any:
    if not (points_KC[:, 2] > 0).any():
        return None
    return [_row(row, decimals) for row in points_KC]


def _row(numbers: np.ndarray, decimals: int) -> list[float]:
    return [round(float(number), decimals) for number in numbers]


def _parameter_frames(parameters: HandParameters) -> list[dict[str, Any]]:
    """Write every frame's parameters; hands that are not valid are null, an unknown body is left out."""
    frames = len(parameters)
    by_hand = parameters.vectors_FD.reshape(frames, len(SIDES), HAND_NUMBERS)
    sizes_FH = np.broadcast_to(parameters.sizes_frac_FH, (frames, len(SIDES)))
    offset_FD = np.broadcast_to(parameters.offset_FD, (frames, OFFSET_NUMBERS))
    written = []
    for frame in range(frames):
        numbers: dict[str, Any] = {
            side: _row(by_hand[frame, hand], _PARAMETER_DECIMALS)
            if parameters.valid_FH[frame, hand]
            else None
            for hand, side in enumerate(SIDES)
        }
        numbers["sizes"] = _row(sizes_FH[frame], _PARAMETER_DECIMALS)
        if offset_FD[frame].any():
            numbers["offset"] = _row(offset_FD[frame], _PARAMETER_DECIMALS)
        if parameters.limbs_FKC is not None:
            numbers["limbs"] = [_row(row, _PARAMETER_DECIMALS) for row in parameters.limbs_FKC[frame]]
        written.append(numbers)
    return written


def _one_frame_per_line(head: dict[str, Any], frames: Iterable[dict[str, Any]]) -> str:
    lines = ",\n".join(json.dumps(frame, separators=(",", ":"), allow_nan=False) for frame in frames)
    return f'{json.dumps(head, allow_nan=False)[:-1]}, "frames": [\n{lines}\n]}}\n'


def _part(frames: list[Any], name: str, *, path: Path) -> np.ndarray:
    """Read one part of every frame, zeros where it is null."""
    points_FKC = np.zeros((len(frames), POINTS[name], 3), dtype=np.float32)
    for number, frame in enumerate(frames):
        rows = frame.get(name) if isinstance(frame, dict) else frame
        if rows is not None:
            place = f"{path}, frame {number}, '{name}',"
            points_FKC[number] = checked_rows(rows, place, count=POINTS[name])
    return points_FKC


def _parameter_arrays(frames: list[dict[str, Any]], path: Path) -> dict[str, np.ndarray]:
    """Collect the parameters of all frames; empty where no frame has any."""
    count = len(frames)
    vectors = resting_vectors(count).reshape(count, len(SIDES), HAND_NUMBERS)
    valid = np.zeros((count, len(SIDES)), dtype=bool)
    sizes = np.full((count, len(SIDES)), STANDARD_SIZE_FRAC, dtype=np.float32)
    offset = np.zeros((count, OFFSET_NUMBERS), dtype=np.float32)
    limbs, has_limbs = np.zeros((count, len(LIMB_POINTS), 3), dtype=np.float32), False
    for number, frame in enumerate(frames):
        given = frame.get("parameters") or {}
        if not isinstance(given, dict):
            raise MediaError(
                f"{path}, frame {number}, has the parameters {given!r}, but left and right were expected; "
                f"{GIVE}."
            )
        for hand, side in enumerate(SIDES):
            if given.get(side) is not None:
                place = f"{path}, frame {number}, the parameters of '{side}',"
                vectors[number, hand] = checked_row(given[side], place, count=HAND_NUMBERS)
                valid[number, hand] = True
        for name, array in (("sizes", sizes), ("offset", offset)):
            if given.get(name) is not None:
                place = f"{path}, frame {number}, the parameters' '{name}',"
                array[number] = checked_row(given[name], place, count=array.shape[1])
        if given.get("limbs") is not None:
            place = f"{path}, frame {number}, the parameters' 'limbs',"
            limbs[number] = checked_rows(given["limbs"], place, count=len(LIMB_POINTS))
            has_limbs = True
    if not valid.any():
        return {}
    arrays = {
        "vectors": vectors.reshape(count, VECTOR_NUMBERS), "valid": valid, "sizes": sizes, "offset": offset
    }  # fmt: skip
    return arrays | {"limbs": limbs} if has_limbs else arrays
