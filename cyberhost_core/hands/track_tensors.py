"""The form of a hand track file for long tracks: safetensors, a tenth of the JSON's size and exact.

    left (F, 21, 3)  right (F, 21, 3)  body (F, 18, 3)                           float32, always
    vectors (F, 134)  sizes (F or 1, 2)  offset (F or 1, 8)  valid (F, 2) uint8  where there are parameters
    limbs (F, 10, 3)                                                             where they know limbs

Metadata, all text: format, fps, width, height, source.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import MediaError
from .track_content import (
    FORMAT,
    GIVE,
    POINTS,
    TrackContent,
    checked_canvas,
    checked_format,
    checked_fps,
    checked_parameters,
)


def write_tensors(path: Path, content: TrackContent) -> None:
    """Write a track."""
    arrays: dict[str, np.ndarray] = {
        name: points.astype(np.float32) for name, points in content.points.items()
    }
    made = content.parameters
    if made is not None:
        arrays |= {"vectors": made.vectors_FD, "sizes": made.sizes_frac_FH, "offset": made.offset_FD}
        arrays["valid"] = made.valid_FH.astype(np.uint8)
        if made.limbs_FKC is not None:
            arrays["limbs"] = made.limbs_FKC
    metadata = {
        "format": FORMAT,
        "fps": json.dumps(content.fps),
        "width": str(content.width),
        "height": str(content.height),
        "source": content.source,
    }
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path, metadata)


def read_tensors(path: Path) -> TrackContent:
    """Read a track.

    Raises:   MediaError: damaged, another format, wrong shapes, values that are not numbers
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise MediaError(f"{path} cannot be read as safetensors ({error}); {GIVE}.") from error
    checked_format(metadata.get("format"), path)
    width, height = checked_canvas([_number(metadata.get(name)) for name in ("width", "height")], path)
    fps, source = checked_fps(_number(metadata.get("fps")), path), metadata.get("source") or path.name
    points = {name: _points(arrays, name, path=path) for name in POINTS}
    frames = {len(array) for array in points.values()}
    frames |= {len(arrays[name]) for name in ("vectors", "valid") if name in arrays}
    if len(frames) > 1 or 0 in frames or ("vectors" in arrays) != ("valid" in arrays):
        raise MediaError(
            f"The parts of {path} have {sorted(frames)} frames, but the same number in all was expected, and "
            f"vectors and valid together; {GIVE}."
        )
    parameters = checked_parameters(arrays, path, fps=fps, source=source) if "vectors" in arrays else None
    return TrackContent(points, parameters, fps=fps, width=width, height=height, source=source)


def _number(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def _points(arrays: dict[str, np.ndarray], name: str, *, path: Path) -> np.ndarray:
    found = arrays.get(name, np.zeros(0))
    if found.ndim != 3 or found.shape[1:] != (POINTS[name], 3) or not np.isfinite(found).all():
        raise MediaError(
            f"{path}, '{name}', has the shape {list(found.shape)} or values that are not numbers, but finite "
            f"points [frames, {POINTS[name]}, 3] were expected; {GIVE}."
        )
    return found.astype(np.float32)
