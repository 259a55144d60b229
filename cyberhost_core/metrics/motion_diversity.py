"""DIV: how different are several motions for one and the same sound?

    motions of one sound --all pairs--> distance of each joint in each frame --mean--> DIV
    the same, each motion first moved so that its mean pose is zero ------------------> DIV of the movement

Hands that stand still somewhere else in every motion have a high DIV and no DIV of the movement; read both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..errors import ConfigError
from .hand_joints import mean_where_known, require_joints


@dataclass(frozen=True)
class Diversity:
    """Hold how much motions for one sound differ.

    Units:    the joints' unit, >= 0 (picture heights when the joints are in them); NaN where no two motions
              show the same joint in the same frame. pairwise: DIV; moving: without the mean poses
    """

    pairwise: float
    moving: float


def diversity(motions_SFHKC: Sequence[np.ndarray] | np.ndarray) -> Diversity:
    """Measure the mean distance of a joint between two motions for one sound.

    It grows as the motions do: motions twice as large have twice the DIV.

    Shapes:   motions_SFHKC (S, F, 2, 21, 3) joints, NaN for those that are not there; S motions of one sound
    Units:    see Diversity
    Raises:   ConfigError: fewer than two motions, or of different lengths
    Source:   EMO2 table 1 (DIV), on the test set of TalkSHOW (Yi et al. 2023)
    Reads:    EMO2 gives no formula. TalkSHOW's is the variance over the motions of each joint, summed
              over joints; other work on the same data takes the mean absolute difference over all pairs.
              Here: the mean over pairs, frames and joints of the Euclidean distance, a length like the
              motion itself, so that "within 30 % of the truth" means 30 % of a length and not of its
              square
    Departs:  the mean, not the sum, over joints: the numbers do not depend on how many joints there are,
              and are not to be held against those printed in the papers
    """
    motions = [require_joints(joints, name="A motion") for joints in motions_SFHKC]
    if len(motions) < 2:
        raise ConfigError(
            f"The diversity of {len(motions)} motion was asked for, but it compares motions of one sound; "
            "generate at least 2, with different seeds."
        )
    lengths = sorted({len(joints) for joints in motions})
    if len(lengths) > 1:
        raise ConfigError(
            f"Motions of {lengths[0]} to {lengths[-1]} frames were compared, but motions of one sound have "
            "the same length; cut them to the same frames."
        )
    centred = [joints - mean_where_known(joints, axes=(0,)) for joints in motions]
    return Diversity(pairwise=_mean_distance(motions), moving=_mean_distance(centred))


def _mean_distance(motions: list[np.ndarray]) -> float:
    pairs = [
        mean_where_known(np.linalg.norm(one - other, axis=-1), axes=(0, 1, 2))
        for one, other in combinations(motions, 2)
    ]
    return float(mean_where_known(np.array(pairs), axes=(0,)))
