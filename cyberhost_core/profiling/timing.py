"""Take times: the median of a few runs after one that warms up."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SpeedRow:
    """Hold one time; `unit` says what the seconds are per."""

    name: str
    label: str
    seconds: float
    unit: str
    comment: str = ""


def median_seconds(run: Callable[[], object], *, repeats: int) -> float:
    """Time a run.

    Units:    repeats: runs that count, 1 or more
    """
    run()  # the first run pays for memory and caches
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
