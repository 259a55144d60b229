"""Hands: presence, HKC and HKV by hand-made poses; plausibility by hands that are and are not ones."""

import numpy as np
import pytest

from cyberhost_core.metrics.hands import hand_score
from cyberhost_core.metrics.plausible_hands import (
    SIZE_RANGE,
    TOLERANCE_FRAC,
    fit_similarity,
    hand_library,
    nearest_hands,
    plausible_points,
    plausible_share,
)
from cyberhost_core.puppets.gesture import HAND_LENGTH_FRAC, gesture
from cyberhost_core.puppets.hand import projected_keypoints
from cyberhost_core.puppets.performance import random_performance
from cyberhost_core.puppets.prosody import Prosody
from cyberhost_core.types import Pose

FRAMES = 24


def pose_of(left_FKC: np.ndarray, right_FKC: np.ndarray) -> Pose:
    frames = len(left_FKC)
    return Pose(np.zeros((frames, 18, 3)), np.zeros((frames, 68, 3)), left_FKC, right_FKC, 128, 96)


def still_hand(score: float = 1.0) -> np.ndarray:
    hand = np.zeros((FRAMES, 21, 3))
    hand[..., :2], hand[..., 2] = np.random.default_rng(0).uniform(40, 60, (21, 2)), score
    return hand


def true_hand(side: str, *, seed: int = 5000) -> np.ndarray:
    """Keypoints of a gesture that the library has not seen; sizes and beats are others too."""
    rng = np.random.default_rng(seed)
    beats = Prosody(np.ones(FRAMES), rng.random(FRAMES))
    motion = gesture(
        random_performance(seed), beats=beats, offset_F2=np.zeros((FRAMES, 2)), hand_size=1.06, fps=25
    )
    size = HAND_LENGTH_FRAC * 1.06
    points = projected_keypoints(motion, side=side, size_frac=size, height=128, width=96)
    return np.concatenate([points[..., :2], np.ones((FRAMES, 21, 1))], axis=-1)


def test_confidence_is_the_mean_over_all_points_of_both_hands() -> None:
    assert hand_score(pose_of(still_hand(0.9), still_hand(0.1))).hkc == pytest.approx(0.5)


def test_variance_is_the_deviation_over_time_and_not_over_the_hand() -> None:
    waving = still_hand()
    waving[:, :, 0] += np.resize([-3.0, 3.0], FRAMES)[:, None]  # x deviates by 3, y by 0
    assert hand_score(pose_of(still_hand(), still_hand())).hkv_px == pytest.approx(0.0, abs=1e-9)
    assert hand_score(pose_of(waving, waving)).hkv_px == pytest.approx(1.5)
    assert hand_score(pose_of(waving, still_hand())).hkv_px == pytest.approx(0.75)


def test_points_that_are_not_seen_add_no_variance() -> None:
    lost = still_hand()
    lost[::2, :5] = (900, 900, 0.1)
    assert hand_score(pose_of(lost, still_hand())).hkv_px == pytest.approx(0.0, abs=1e-9)
    assert hand_score(pose_of(still_hand(0.0), still_hand(0.0))).hkv_px == 0.0


def test_presence_is_the_share_of_frames_over_both_hands() -> None:
    half = still_hand()
    half[: FRAMES // 2, :, 2] = 0.1
    assert hand_score(pose_of(half, still_hand())).presence == pytest.approx(0.75)


@pytest.mark.parametrize("side", ["left", "right"])
def test_every_point_of_a_true_hand_is_plausible_wherever_it_is_and_however_it_is_turned(side: str) -> None:
    hand = true_hand(side)
    turned = hand.copy()
    turned[..., :2] = hand[..., :2] @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + (100, -7)
    assert plausible_points(hand, side=side, height=128).mean() > 0.98
    assert plausible_points(turned, side=side, height=128).mean() > 0.98


def test_the_worse_a_hand_is_the_fewer_of_its_points_are_plausible() -> None:
    rng, left, right = np.random.default_rng(1), true_hand("left"), true_hand("right")
    shares = []
    for sigma in (0.0, 2.0, 4.0):
        noise = rng.normal(0, sigma, (2, FRAMES, 21, 2))
        noisy = [hand.copy() for hand in (left, right)]
        for hand, off in zip(noisy, noise, strict=True):
            hand[..., :2] += off
        shares.append(plausible_share(pose_of(*noisy)))
    assert shares[0] > 0.98 > 0.9 > shares[1] > 0.6 > shares[2]


def test_a_cloud_of_points_is_not_a_hand() -> None:
    cloud = true_hand("left")
    cloud[..., :2] = 60 + np.random.default_rng(2).normal(0, 9, cloud[..., :2].shape)
    assert plausible_points(cloud, side="left", height=128)[:, 1:].mean() < 0.3


def test_one_lost_finger_does_not_cost_the_others() -> None:
    hand = true_hand("right")
    hand[:, 5:9, :2] += (40, -40)
    fits = plausible_points(hand, side="right", height=128)
    assert not fits[:, 6:9].any()
    assert np.delete(fits, [5, 6, 7, 8], axis=1).mean() > 0.9


def test_points_that_are_not_seen_are_not_plausible_and_hands_that_are_not_seen_do_not_count() -> None:
    hand = true_hand("left")
    hand[:, 17:, 2] = 0.0
    assert not plausible_points(hand, side="left", height=128)[:, 17:].any()
    hand[FRAMES // 2 :, :, 2] = 0.0
    assert len(plausible_points(hand, side="left", height=128)) == FRAMES // 2
    assert plausible_share(pose_of(0 * hand, 0 * hand)) == 0.0


def test_the_fit_finds_turn_size_and_place_and_keeps_the_size_in_range() -> None:
    source = hand_library("left")[:3]
    factor, shift = 1.05 * np.exp(0.7j), 0.3 - 0.2j
    fit = fit_similarity(source, factor * source[1] + shift, weights_LK=np.ones(source.shape))
    assert fit.factor[1, 0] == pytest.approx(factor)
    assert fit.shift[1, 0] == pytest.approx(shift)
    tiny = fit_similarity(source, 0.1 * source[1], weights_LK=np.ones(source.shape))
    np.testing.assert_allclose(np.abs(tiny.factor), SIZE_RANGE[0])


def test_the_nearest_hand_is_the_one_that_a_naive_search_finds() -> None:
    rng, library = np.random.default_rng(3), hand_library("right")[::400]
    hands = np.exp(2j) * library[[4, 7]] + rng.normal(0, 0.01, (2, 21)) + 0.5
    seen = np.ones((2, 21), dtype=bool)
    seen[1, :6] = False
    found = nearest_hands(hands, seen, library)
    for hand, known, order in zip(hands, seen, found, strict=True):
        weights = np.broadcast_to(known, library.shape).astype(float)
        fit = fit_similarity(library, hand, weights_LK=weights)
        errors = (weights * np.abs(fit.factor * library + fit.shift - hand) ** 2).sum(axis=1)
        assert order[0] == errors.argmin()
        assert (np.diff(errors[order]) >= -1e-12).all()


def test_the_library_holds_thousands_of_hands_that_differ_by_more_than_the_tolerance() -> None:
    library = hand_library("left")
    assert len(library) >= 3000
    spread = np.abs(library[:, None, 1:] - library[None, ::100, 1:]).mean(axis=-1)
    assert np.median(spread) > TOLERANCE_FRAC
