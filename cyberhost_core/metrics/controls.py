"""Controls: does more of what is asked for give more of what is measured?

    clips x levels asked for -> measured values --Spearman--> of the clips' mean; of each clip, averaged

Used for the movement map (box size against range) and for hand clarity (asked against measured sharpness).
"""

from dataclasses import dataclass

import numpy as np

from .statistics import spearman


@dataclass(frozen=True)
class Obedience:
    """Hold how well a control is obeyed.

    Units:    of_means, per_clip -1..1; 1: every step up of the control raises the measured value. of_means
              takes the mean over clips first; per_clip is the mean over the single clips, and so feels their
              noise
    """

    of_means: float
    per_clip: float


def obedience(levels_L: np.ndarray, measured_NL: np.ndarray) -> Obedience:
    """Rank what was measured against what was asked for.

    A value that could not be measured (NaN) leaves its level out of that clip.

    Shapes:   levels_L (L,); measured_NL (N clips, L)
    Units:    levels and measured: any, only their order counts
    Source:   ours
    """
    levels, measured = np.asarray(levels_L, dtype=np.float64), np.asarray(measured_NL, dtype=np.float64)
    known = np.isfinite(measured)
    counts_L = known.sum(axis=0)
    means_L = np.where(known, measured, 0.0).sum(axis=0) / np.maximum(counts_L, 1)
    used_L = counts_L > 0
    single = [spearman(levels[seen], row[seen]) for row, seen in zip(measured, known, strict=True)]
    return Obedience(spearman(levels[used_L], means_L[used_L]), float(np.mean(single)))
