"""Lay frames out on one page, so that a whole video can be seen at a glance.

+---+---+---+
| 0 | 1 | 2 |
+---+---+---+     white gaps; empty places stay white
| 3 | 4 |   |
+---+---+---+
"""

import math

import numpy as np

from ..errors import MediaError

GAP_PX = 4
_WHITE = 255


def contact_sheet(frames_FYXC: np.ndarray, *, columns: int, scale: int = 1) -> np.ndarray:
    """Place frames row by row, each enlarged by whole pixels.

    Shapes:   frames_FYXC (F, Y, X, 3) uint8;
              result (rows x (Y scale + gap) + gap, columns x (X scale + gap) + gap, 3)
    Raises:   MediaError: no frames, or columns or scale below 1
    """
    if len(frames_FYXC) == 0 or columns < 1 or scale < 1:
        raise MediaError(
            f"A contact sheet of {len(frames_FYXC)} frames, {columns} columns and scale {scale} "
            "cannot be made; give at least 1 of each."
        )
    frames_FYXC = frames_FYXC.repeat(scale, axis=1).repeat(scale, axis=2)
    frames, height, width, channels = frames_FYXC.shape
    rows = math.ceil(frames / columns)
    sheet_shape = (rows * (height + GAP_PX) + GAP_PX, columns * (width + GAP_PX) + GAP_PX, channels)
    sheet_YXC = np.full(sheet_shape, _WHITE, dtype=np.uint8)
    for index, frame_YXC in enumerate(frames_FYXC):
        row, column = divmod(index, columns)
        top, left = GAP_PX + row * (height + GAP_PX), GAP_PX + column * (width + GAP_PX)
        sheet_YXC[top : top + height, left : left + width] = frame_YXC
    return sheet_YXC


def evenly_spaced(count: int, *, frames: int) -> np.ndarray:
    """Pick frame numbers spread over a video, first and last included; all when there are fewer than count.

    Shapes:   result (min(count, frames),) int, rising
    """
    return np.linspace(0, frames - 1, min(count, frames)).round().astype(int)
