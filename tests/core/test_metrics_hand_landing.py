"""Hand landing on constructed hands: exact, shifted, half unseen, not there."""

import math
from dataclasses import replace

import numpy as np
import pytest

from cyberhost_core.metrics.hand_landing import hand_landing
from cyberhost_core.types import PACKED_POINTS, Pose


@pytest.fixture
def driven() -> Pose:
    points = np.random.default_rng(0).uniform(10, 80, (5, PACKED_POINTS, 3)).astype(np.float32)
    points[..., 2] = 1
    return Pose.from_packed(points, height=128, width=96)


def test_hands_where_they_were_driven_are_no_distance_off(driven: Pose) -> None:
    found = hand_landing(driven, driven)
    assert (found.distance_px, found.found) == (0, 1)


def test_one_shifted_hand_of_two_is_off_by_half_its_shift(driven: Pose) -> None:
    shifted = replace(driven, left_hand_FKC=driven.left_hand_FKC + np.float32([3, 4, 0]))
    assert hand_landing(shifted, driven).distance_px == pytest.approx(2.5, abs=1e-5)


def test_points_that_either_lacks_do_not_count_but_are_told(driven: Pose) -> None:
    unseen = driven.left_hand_FKC * np.float32([1, 1, 0])
    shifted = replace(
        driven, left_hand_FKC=unseen, right_hand_FKC=driven.right_hand_FKC + np.float32([6, 8, 0])
    )
    found = hand_landing(shifted, driven)
    assert found.distance_px == pytest.approx(10, abs=1e-4)
    assert found.found == 0.5
    not_driven = replace(driven, left_hand_FKC=unseen)
    assert hand_landing(driven, not_driven).found == 1, "what was not driven need not be found"


def test_no_hands_at_all_have_no_distance(driven: Pose) -> None:
    nothing = replace(
        driven, left_hand_FKC=driven.left_hand_FKC * 0, right_hand_FKC=driven.right_hand_FKC * 0
    )
    found = hand_landing(nothing, driven)
    assert math.isnan(found.distance_px)
    assert found.found == 0
