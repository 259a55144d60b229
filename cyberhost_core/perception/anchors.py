"""What MediaPipe's detectors of bodies and palms find: a box and some points per anchor, and how sure.

Anchors are places on grids over the square picture, coarser and coarser; a result is an offset from its
anchor, in pixels of the network's input.
"""

from collections.abc import Sequence

import numpy as np

SURE = 0.5  # MediaPipe's own threshold
_STEEPEST = 100.0  # logits are cut there, so that exp stays finite
_PER_CELL = 2


def anchors(px: int, strides: Sequence[int]) -> np.ndarray:
    """Places of all anchors, row by row; two per cell and stride, those of equal strides side by side.

    Shapes:   result (N, 2)
    Units:    px of the network's input, and of the strides
    Source:   MediaPipe's SSD anchors, with one size for all
    """
    places = []
    for stride in dict.fromkeys(strides):
        y, x = np.divmod(np.arange((px // stride) ** 2), px // stride)
        cells_S2 = (np.stack([x, y], axis=1) + 0.5) * stride
        places.append(np.repeat(cells_S2, _PER_CELL * list(strides).count(stride), axis=0))
    return np.concatenate(places)


def decode(
    raw_ND: np.ndarray, logits_N1: np.ndarray, anchors_N2: np.ndarray, *, sure: float = SURE
) -> tuple[np.ndarray, np.ndarray]:
    """Read what is sure enough, the surest first.

    Shapes:   raw_ND (N, 4 + 2 K); logits_N1 (N, 1); anchors_N2 (N, 2); result (M, 2 + K, 2) and (M,): centre
              and size of the box, then K points
    Units:    px of the network's input; how sure, 0..1
    """
    sure_N = 1 / (1 + np.exp(-np.clip(logits_N1[:, 0].astype(np.float64), -_STEEPEST, _STEEPEST)))
    order = np.argsort(-sure_N, kind="stable")
    chosen = order[sure_N[order] >= sure]
    found_MK2 = raw_ND[chosen].reshape(len(chosen), raw_ND.shape[1] // 2, 2).astype(np.float64)
    found_MK2[:, [0, *range(2, found_MK2.shape[1])]] += anchors_N2[chosen][:, None]
    return found_MK2, sure_N[chosen]


def corners(found_MK2: np.ndarray) -> np.ndarray:
    """Boxes (M, 4) as x0, y0, x1, y1 from what decode gives."""
    centre, half = found_MK2[:, 0], found_MK2[:, 1] / 2
    return np.concatenate([centre - half, centre + half], axis=1)
