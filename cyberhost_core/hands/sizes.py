"""How long a person's hands are in a portrait, so that hands made from sound fit the arms they hang on."""

import numpy as np

from ..types import SEEN, Pose
from .fit import FEWEST_POINTS, hand_length_px
from .parameters import STANDARD_SIZE_FRAC

_SHOULDERS = [2, 5]  # OpenPose: right, left
_OF_SHOULDERS = 0.108 / 0.259  # hand length by shoulder width, both of a body's height
_SHORTEST_PX = 1.0


def hand_sizes(portrait: Pose) -> tuple[float, float]:
    """Estimate the length of the left and of the right hand from one picture.

    Hands are measured by their long bones, of which hardly all point at the viewer; both are as long as the
    one that looks longer. Without hands the shoulders tell; without those it is a usual half-body picture.

    Units:    wrist to middle tip, as fractions of the picture's height
    Source:   Winter, Biomechanics (2009), figure 4.1, for hands and shoulders
    """
    lengths = [_length_px(hand_FKC[:1]) for hand_FKC in (portrait.left_hand_FKC, portrait.right_hand_FKC)]
    longest = max(lengths)
    if longest < _SHORTEST_PX:
        longest = _OF_SHOULDERS * _shoulders_px(portrait)
    if longest < _SHORTEST_PX:
        return STANDARD_SIZE_FRAC, STANDARD_SIZE_FRAC
    left, right = (longest / portrait.height for _ in lengths)
    return left, right


def _length_px(points_FKC: np.ndarray) -> float:
    seen_FK = points_FKC[..., 2] >= SEEN
    return hand_length_px(points_FKC, seen_FK) if seen_FK.sum() >= FEWEST_POINTS else 0.0


def _shoulders_px(portrait: Pose) -> float:
    pair_2C = portrait.body_FKC[0, _SHOULDERS]
    return float(np.linalg.norm(pair_2C[0, :2] - pair_2C[1, :2])) if (pair_2C[:, 2] >= SEEN).all() else 0.0
