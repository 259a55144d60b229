"""Two correlations and what is built on them: seams and controls."""

import numpy as np
import pytest

from cyberhost_core.errors import ConfigError
from cyberhost_core.metrics.controls import obedience
from cyberhost_core.metrics.seams import seam_ratio
from cyberhost_core.metrics.statistics import pearson, ranks, spearman

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("length", [2, 3, 10, 60])
def test_both_correlations_are_scipys(length: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    x = RNG.normal(size=length).round(1)  # rounded, so that values tie
    y = x + RNG.normal(size=length).round(1)
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    np.testing.assert_allclose(ranks(x), stats.rankdata(x))


def test_what_does_not_move_correlates_with_nothing() -> None:
    moving = np.arange(5.0)
    assert pearson(np.full(5, 0.1), moving) == 0.0
    assert pearson(moving, np.full(5, 1e9)) == 0.0
    assert spearman(np.zeros(5), moving) == 0.0
    assert pearson(np.ones(1), np.ones(1)) == pearson(np.zeros(0), np.zeros(0)) == 0.0


def test_spearman_sees_order_only() -> None:
    x = RNG.normal(size=20)
    assert spearman(x, np.exp(3 * x)) == pytest.approx(1.0)
    assert spearman(x, -(x**3)) == pytest.approx(-1.0)


def test_a_control_is_obeyed_on_average_though_single_clips_disagree() -> None:
    found = obedience(np.arange(3), np.array([[1.0, 3.0, 9.0], [2.0, 1.0, 3.0]]))
    assert found.of_means == 1.0
    assert found.per_clip == pytest.approx((1.0 + 0.5) / 2)


def test_a_level_that_could_not_be_measured_is_left_out() -> None:
    unseen = obedience(np.arange(4), np.array([[1.0, np.nan, 3.0, 4.0], [1.0, np.nan, 3.0, 4.0]]))
    assert unseen.of_means == unseen.per_clip == 1.0
    nothing = obedience(np.arange(4), np.full((2, 4), np.nan))
    assert nothing.of_means == nothing.per_clip == 0.0


def walking(frames: int, *, step: int, leap: int, kept: int) -> np.ndarray:
    """Grey pictures that brighten by `step` per frame, and by `leap` at joins."""
    steps = [leap if frame % kept == 0 else step for frame in range(1, frames)]
    grey = np.concatenate([[0], np.cumsum(steps)]).astype(np.uint8)
    return np.broadcast_to(grey[:, None, None, None], (frames, 4, 4, 3))


def test_the_seam_ratio_is_the_leap_at_joins_over_the_step_inside() -> None:
    assert seam_ratio(walking(24, step=2, leap=6, kept=10), kept=10) == pytest.approx(3.0, rel=0.02)
    assert seam_ratio(walking(24, step=2, leap=2, kept=10), kept=10) == 1.0
    assert seam_ratio(walking(24, step=2, leap=6, kept=10), kept=9) < 1.0  # looked for at the wrong place


def test_a_picture_that_stands_still_has_no_seams() -> None:
    assert seam_ratio(np.full((12, 8, 8, 3), 70, np.uint8), kept=4) == 1.0


@pytest.mark.parametrize(("frames", "kept"), [(10, 10), (9, 10), (5, 1)])
def test_without_a_join_or_an_inside_there_is_no_ratio(frames: int, kept: int) -> None:
    with pytest.raises(ConfigError, match=f"{frames} frames of segments of {kept}"):
        seam_ratio(np.zeros((frames, 4, 4, 3), np.uint8), kept=kept)
