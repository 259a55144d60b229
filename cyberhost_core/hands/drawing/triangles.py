"""A rasteriser with depth: the nearest triangle at every pixel's centre, for all frames at once.

    triangles -> those that face the viewer -> pixels of their boxes (ragged) -> those inside -> nearest wins

Sums over two or three numbers are written out, because numpy takes many times longer over so short an axis.
"""

from dataclasses import dataclass

import numpy as np

_INSIDE = np.float32(-1e-4)  # shared edges belong to both triangles, so that no pixel falls between them


@dataclass(frozen=True, eq=False)
class Triangles:
    """Hold N triangles with a colour at every corner.

    Shapes:   frame_N int; corners_N33 (N, 3, 3): x, y, depth; colours_N3C (N, 3, C)
    Units:    px, y down, depth grows towards the viewer; the front is where the corners run clockwise in the
              picture as it is seen
    """

    frame_N: np.ndarray
    corners_N33: np.ndarray
    colours_N3C: np.ndarray


@dataclass(frozen=True, eq=False)
class _Spans:
    """The box of pixels of each triangle, and its corners' shares as functions of the column and row in it.

    Shapes:   first_N2, size_N2: x, y; second_N3, third_N3: share at the first pixel, more per column, per row
    """

    first_N2: np.ndarray
    size_N2: np.ndarray
    second_N3: np.ndarray
    third_N3: np.ndarray


def paint_nearest(canvas_FYXC: np.ndarray, triangles: Triangles) -> None:
    """Paint, at every pixel's centre, the colour of the triangle that is nearest to the viewer, in place.

    Triangles that show their back are left out: a closed surface hides them anyway.

    Shapes:   canvas_FYXC (F, H, W, C), C-contiguous
    """
    frames, height, width, channels = canvas_FYXC.shape
    front = _front(triangles)
    spans = _spans(front.corners_N33, height=height, width=width)
    owner_P, column_P, row_P = _pixels(spans.size_N2)
    second_P, third_P = (
        _at(shares_N3[owner_P], column_P, row_P) for shares_N3 in (spans.second_N3, spans.third_N3)
    )
    first_P = 1 - second_P - third_P
    inside = (first_P >= _INSIDE) & (second_P >= _INSIDE) & (third_P >= _INSIDE)
    owner_P, shares_P = owner_P[inside], (first_P[inside], second_P[inside], third_P[inside])
    x_P = spans.first_N2[owner_P, 0] + column_P[inside]
    y_P = spans.first_N2[owner_P, 1] + row_P[inside]

    pixel_P = (front.frame_N[owner_P] * height + y_P) * width + x_P
    depth_P = _blend(shares_P, front.corners_N33[:, :, 2][owner_P])
    nearest = np.full(frames * height * width, -np.inf, dtype=np.float32)
    np.maximum.at(nearest, pixel_P, depth_P)
    wins = depth_P == nearest[pixel_P]
    shares_P = tuple(share_P[wins, None] for share_P in shares_P)
    canvas_FYXC.reshape(-1, channels)[pixel_P[wins]] = _blend(shares_P, front.colours_N3C[owner_P[wins]])


def _front(triangles: Triangles) -> Triangles:
    """Keep what faces the viewer, in float32, so that equal depths compare as equal."""
    corners = triangles.corners_N33.astype(np.float32)
    shown = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) < 0  # y points down
    colours = triangles.colours_N3C[shown].astype(np.float32)
    return Triangles(triangles.frame_N[shown], corners[shown], colours)


def _spans(corners_N33: np.ndarray, *, height: int, width: int) -> _Spans:
    one, two, three = (corners_N33[:, corner, :2] for corner in range(3))
    limit = np.array((width, height), dtype=np.float32)
    low = np.clip(np.ceil(np.minimum(np.minimum(one, two), three) - 0.5), 0, limit).astype(np.int64)
    high = np.clip(np.floor(np.maximum(np.maximum(one, two), three) + 0.5), 0, limit).astype(np.int64)
    begin = low.astype(np.float32) + np.float32(0.5) - one
    to_two, to_three = two - one, three - one
    area = _cross(to_two, to_three)
    second = np.stack([_cross(begin, to_three), to_three[:, 1], -to_three[:, 0]], axis=-1)
    third = np.stack([_cross(to_two, begin), -to_two[:, 1], to_two[:, 0]], axis=-1)
    return _Spans(low, np.maximum(high - low, 0), second / area[:, None], third / area[:, None])


def _pixels(size_N2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the pixels of all boxes in one run: owner, column and row within the box."""
    count_N = size_N2[:, 0] * size_N2[:, 1]
    owner_P = np.repeat(np.arange(len(count_N)), count_N)
    place_P = np.arange(len(owner_P)) - np.repeat(np.cumsum(count_N) - count_N, count_N)
    row_P, column_P = np.divmod(place_P, np.repeat(np.maximum(size_N2[:, 0], 1), count_N))
    return owner_P, column_P, row_P


def _at(shares_P3: np.ndarray, column_P: np.ndarray, row_P: np.ndarray) -> np.ndarray:
    across, down = column_P.astype(np.float32), row_P.astype(np.float32)
    return shares_P3[:, 0] + across * shares_P3[:, 1] + down * shares_P3[:, 2]


def _blend(shares: tuple[np.ndarray, ...], corners: np.ndarray) -> np.ndarray:
    """Weigh the three corners (axis 1)."""
    return shares[0] * corners[:, 0] + shares[1] * corners[:, 1] + shares[2] * corners[:, 2]


def _cross(one_N2: np.ndarray, two_N2: np.ndarray) -> np.ndarray:
    return one_N2[:, 0] * two_N2[:, 1] - one_N2[:, 1] * two_N2[:, 0]
