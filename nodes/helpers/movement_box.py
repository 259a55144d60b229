"""The movement box between the node's text field, the core and the browser."""

from typing import Any

import numpy as np

from ...cyberhost_core.controls.movement_map import thorax_box
from ...cyberhost_core.errors import ConfigError
from ...cyberhost_core.types import SEEN, Pose


def parse_box(text: str, *, height: int, width: int) -> np.ndarray | None:
    """Read "x0,y0,x1,y1"; None when the field is empty.

    Units:    px of a height x width picture; result (4,) float32
    Raises:   ConfigError: not four numbers, no area, or nothing of it inside the picture
    """
    if not text.strip():
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    box = np.array(numbers, dtype=np.float32)
    corners = box.reshape(2, -1) if len(box) == 4 else np.zeros((2, 2), dtype=np.float32)
    inside = np.clip(corners, 0, [width, height])
    if not np.isfinite(box).all() or not (inside[1] > inside[0]).all():
        raise ConfigError(
            f"The movement box is '{text}', but four numbers x0,y0,x1,y1 with x0 < x1 and y0 < y1 were "
            f"expected, in pixels of a picture of {width} x {height}; draw the box again, or leave "
            "the field empty."
        )
    return box


def shown_movement(pose: Pose, box_4: np.ndarray) -> dict[str, list[dict[str, Any]]]:
    """Give the node's ui data: the box, the canvas, and the thorax (None when it is not seen)."""
    thorax = None
    if (pose.thorax_FC()[:, 2] >= SEEN).any():
        visited = thorax_box(pose)
        thorax = _rounded((visited[:2] + visited[2:]) / 2)
    canvas = [int(pose.width), int(pose.height)]
    return {"cyberhost_movement": [{"thorax": thorax, "canvas": canvas, "box": _rounded(box_4)}]}


def _rounded(numbers: np.ndarray) -> list[float]:
    return [round(float(number), 2) for number in numbers]
