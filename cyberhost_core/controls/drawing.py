"""The one rasteriser: anti-aliased strokes and boxes, by coverage, without an image library.

Coordinates are continuous: pixel i covers [i, i + 1), its centre is i + 0.5. So keypoints and boxes scale
with the canvas by plain multiplication, and a box of half a pixel still leaves half a pixel of light.

    strokes  -> rows that a stroke touches -> pixels of that row near it -> distance -> alpha
                (two ragged expansions; every stroke of every frame goes through them at once)
"""

from dataclasses import dataclass

import numpy as np

_ALPHA_STEPS = 65_535
_FLAT = (
    1e-9  # stands in for the height or length 0 of a level stroke or a disc: divides, and changes no pixel
)


@dataclass(frozen=True)
class Strokes:
    """Hold N capsules (thick segments with round ends); a disc is a stroke whose ends coincide.

    Shapes:   frame_N int; start_N2, end_N2 (x, y); radius_N; colour_NC RGB
    Units:    px for places and radii; colours 0..1
    """

    frame_N: np.ndarray
    start_N2: np.ndarray
    end_N2: np.ndarray
    radius_N: np.ndarray
    colour_NC: np.ndarray

    def __len__(self) -> int:
        return len(self.frame_N)


def paint(canvas_FYXC: np.ndarray, strokes: Strokes) -> None:
    """Paint strokes over a canvas, in place.

    Where strokes meet, a pixel takes the colour of the one that covers it most, the later one on a tie.
    That is the painter's order wherever strokes are solid, and needs no loop over strokes.

    Shapes:   canvas_FYXC (F, H, W, C) float32, C-contiguous
    Units:    colours 0..1
    """
    if not len(strokes):
        return
    frames, height, width, channels = canvas_FYXC.shape
    pixel_P, stroke_P, alpha_P = _fragments(strokes, height=height, width=width)

    key_P = np.rint(alpha_P * _ALPHA_STEPS).astype(np.int64) * len(strokes) + stroke_P
    best = np.full(frames * height * width, -1, dtype=np.int64)
    np.maximum.at(best, pixel_P, key_P)

    touched = np.flatnonzero(best >= 0)
    steps, stroke = np.divmod(best[touched], len(strokes))
    alpha = (steps / _ALPHA_STEPS).astype(np.float32)[:, None]
    canvas = canvas_FYXC.reshape(-1, channels)
    canvas[touched] += alpha * (strokes.colour_NC.astype(np.float32)[stroke] - canvas[touched])


def add_up(canvas_FYX: np.ndarray, strokes: Strokes, value_N: np.ndarray) -> None:
    """Add the value of every stroke wherever it is, in place; at its edge, the share of the pixel it covers.

    Shapes:   canvas_FYX (F, H, W) float32, C-contiguous; value_N one number per stroke, in place of its
              colour
    """
    if len(strokes):
        _, height, width = canvas_FYX.shape
        pixel_P, stroke_P, alpha_P = _fragments(strokes, height=height, width=width)
        np.add.at(canvas_FYX.reshape(-1), pixel_P, alpha_P * value_N.astype(np.float32)[stroke_P])


def coverage(low_N: np.ndarray, high_N: np.ndarray, *, cells: int) -> np.ndarray:
    """Measure how much of every cell each interval [low, high) covers.

    Shapes:   low_N, high_N (N,); result (N, cells) float32, 0..1
    Units:    cells; an interval with NaN ends covers nothing
    """
    cell = np.arange(cells, dtype=np.float32)
    overlap = np.minimum(high_N[:, None], cell + 1) - np.maximum(low_N[:, None], cell)
    return np.clip(np.nan_to_num(overlap, nan=0.0), 0, 1).astype(np.float32)


def fill_boxes(boxes_N4: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Draw each box as a mask of its own whose edge cells hold the covered area.

    Shapes:   boxes_N4 (N, 4) x0, y0, x1, y1; result (N, height, width) float32, 0..1
    Units:    cells of the result; a box of NaN is empty
    """
    rows_NH = coverage(boxes_N4[:, 1], boxes_N4[:, 3], cells=height)
    columns_NW = coverage(boxes_N4[:, 0], boxes_N4[:, 2], cells=width)
    return rows_NH[:, :, None] * columns_NW[:, None, :]


def _fragments(strokes: Strokes, *, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the pixels near every stroke: flat pixel index, stroke index, alpha (> 0)."""
    start = strokes.start_N2.astype(np.float32)
    along = strokes.end_N2.astype(np.float32) - start
    # alpha falls from 1 to 0 over the one pixel around the edge
    reach = strokes.radius_N.astype(np.float32) + 0.5

    low_y = np.minimum(start[:, 1], start[:, 1] + along[:, 1]) - reach
    high_y = np.maximum(start[:, 1], start[:, 1] + along[:, 1]) + reach
    stroke_R, row_R = _expand(low_y, high_y, cells=height)

    low_x, high_x = _reach_in_row(row_R + 0.5, start[stroke_R], along[stroke_R], reach_R=reach[stroke_R])
    owner_P, x_P = _expand(low_x, high_x, cells=width)
    stroke_P, y_P = stroke_R[owner_P], row_R[owner_P]

    off_x = x_P + np.float32(0.5) - start[stroke_P, 0]
    off_y = y_P + np.float32(0.5) - start[stroke_P, 1]
    distance = _distance(off_x, off_y, along[stroke_P])
    alpha = np.clip(reach[stroke_P] - distance, 0, 1)
    keep = alpha > 0
    pixel_P = (strokes.frame_N[stroke_P] * height + y_P) * width + x_P
    return pixel_P[keep], stroke_P[keep], alpha[keep]


def _expand(low_N: np.ndarray, high_N: np.ndarray, *, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """List the cells whose centres lie in [low, high], for all intervals in one flat run: (owner, cell)."""
    first = np.clip(np.ceil(low_N - 0.5), 0, cells).astype(np.int64)
    count = np.clip(np.floor(high_N + 0.5), 0, cells).astype(np.int64) - first
    count = np.maximum(count, 0)
    owner = np.repeat(np.arange(len(count)), count)
    run_start = np.cumsum(count) - count
    return owner, np.arange(len(owner)) - (run_start - first)[owner]


def _reach_in_row(
    y_R: np.ndarray, start_R2: np.ndarray, along_R2: np.ndarray, *, reach_R: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bound x in a row: only the stretch of a stroke that passes within reach of the row can touch it."""
    rise = np.where(np.abs(along_R2[:, 1]) < _FLAT, _FLAT, along_R2[:, 1])
    t_one = np.clip((y_R - reach_R - start_R2[:, 1]) / rise, 0, 1)
    t_two = np.clip((y_R + reach_R - start_R2[:, 1]) / rise, 0, 1)
    x_one = start_R2[:, 0] + t_one * along_R2[:, 0]
    x_two = start_R2[:, 0] + t_two * along_R2[:, 0]
    return np.minimum(x_one, x_two) - reach_R, np.maximum(x_one, x_two) + reach_R


def _distance(off_x: np.ndarray, off_y: np.ndarray, along_P2: np.ndarray) -> np.ndarray:
    """Distance of a point (relative to the start) to the segment from 0 to `along`."""
    length_squared = np.maximum(along_P2[:, 0] ** 2 + along_P2[:, 1] ** 2, _FLAT)
    t = np.clip((off_x * along_P2[:, 0] + off_y * along_P2[:, 1]) / length_squared, 0, 1)
    return np.hypot(off_x - t * along_P2[:, 0], off_y - t * along_P2[:, 1])
