"""Two correlations, so that no metric needs scipy.

pearson     do two series rise and fall together, in proportion?
spearman    does one rise whenever the other does? = pearson of the ranks
"""

import numpy as np

_FLAT = 1e-12  # relative to the values: below this a series does not move, rounding does


def pearson(x_N: np.ndarray, y_N: np.ndarray) -> float:
    """Correlate two series.

    A series that does not move goes along with nothing: the result is then 0, not NaN, so that a frozen mouth
    scores as badly as a random one.

    Shapes:   x_N, y_N (N,)
    Units:    -1..1; 1: rise and fall together
    """
    x, y = np.asarray(x_N, dtype=np.float64), np.asarray(y_N, dtype=np.float64)
    if len(x) < 2 or _is_flat(x) or _is_flat(y):
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x @ y) / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def spearman(x_N: np.ndarray, y_N: np.ndarray) -> float:
    """Correlate the ranks of two series; equal values share the mean of their ranks.

    Shapes:   x_N, y_N (N,)
    Units:    -1..1; 1: y rises whenever x does
    """
    return pearson(ranks(x_N), ranks(y_N))


def ranks(x_N: np.ndarray) -> np.ndarray:
    """Number values from the smallest, 1 to N; equal values share the mean of their numbers.

    Shapes:   x_N (N,); result (N,) float64
    """
    x = np.asarray(x_N, dtype=np.float64)
    below = (x[None] < x[:, None]).sum(axis=1)
    equal = (x[None] == x[:, None]).sum(axis=1)
    return below + (equal + 1) / 2


def _is_flat(x: np.ndarray) -> bool:
    return bool(np.ptp(x) <= _FLAT * np.abs(x).max(initial=0.0))
