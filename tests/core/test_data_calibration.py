"""Calibration: inference asks for the store's clear hands and usual motion, and knows its worst pictures."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cyberhost_core.conditioners.drawn_maps import DrawnMaps
from cyberhost_core.conditioners.hand_clarity import HandClarity
from cyberhost_core.conditioners.hand_confidence import HandConfidence
from cyberhost_core.data.calibration import Calibration, calibrate, calibration_of
from cyberhost_core.data.store import VideoScores
from cyberhost_core.systems import cyberhost, emo2
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.types import PACKED_POINTS, THORAX, Pose

HEIGHT, WIDTH = 100, 200


def scores(
    clarity: np.ndarray,
    *,
    hand_seen: np.ndarray | None = None,
    sway: float = 10.0,
    confidence: float = 0.9,
    picture_db: float = 30.0,
) -> VideoScores:
    """A video whose left hand has these absolute scores, the right one the same; its neck sways sideways."""
    frames = len(clarity)
    points = np.ones((frames, PACKED_POINTS, 3), np.float32) * (50, 50, 1)
    points[:, THORAX, 0] = 50 + sway * np.linspace(0, 1, frames)
    points[:, -42:, :2] += np.arange(42)[:, None]
    if hand_seen is not None:
        points[~hand_seen, -42:, 2] = 0
    return VideoScores(
        pose=Pose.from_packed(points, height=HEIGHT, width=WIDTH),
        hand_confidence_FH=np.full((frames, 2), confidence, np.float32),
        clarity_F4=np.stack([clarity, clarity, clarity / 40, clarity / 40], axis=1).astype(np.float32),
        picture_db=picture_db,
    )


def test_hands_are_asked_for_as_clear_as_the_clearest_tenth_of_the_frames() -> None:
    low, high = np.linspace(0, 50, 51), np.linspace(50, 100, 51)
    found = calibration_of([scores(low), scores(high)])
    assert found.clarity_high == pytest.approx((90, 90 / 40), abs=1)
    assert found.clarity_low == pytest.approx((10, 10 / 40), abs=1)


def test_scores_that_were_filled_in_for_hands_out_of_sight_do_not_count() -> None:
    clarity, seen = np.full(50, 20.0), np.arange(50) < 25
    clarity[~seen] = 80
    found = calibration_of([scores(clarity, hand_seen=seen)])
    assert found.clarity_high == found.clarity_low == (20, 0.5)


def test_the_box_is_that_of_the_middle_video_as_training_draws_it() -> None:
    still, usual, wild = (scores(np.ones(20), sway=sway) for sway in (0.0, 20.0, 100.0))
    width, height = calibration_of([wild, still, usual]).movement_box or (0, 0)
    assert width == pytest.approx(20 * 2.25 / WIDTH)
    assert height == pytest.approx(0.01), "nothing moves up or down: the smallest box"


def test_the_floor_lies_below_the_worst_pictures_of_the_store() -> None:
    many = [scores(np.ones(2), picture_db=db) for db in np.linspace(26, 34, 101)]
    floor = calibration_of(many).picture_floor_db
    assert floor == pytest.approx(26.08 - 3)
    assert all(video.picture_db > floor for video in many)


def test_a_store_without_hands_or_shoulders_leaves_the_systems_values_and_says_so() -> None:
    video = scores(np.ones(5), hand_seen=np.zeros(5, bool))
    hidden = replace(video, pose=Pose.from_packed(video.pose.packed_FKC() * 0, height=HEIGHT, width=WIDTH))
    found = calibration_of([hidden])
    assert (found.clarity_high, found.movement_box, found.hand_confidence) == (None, None, None)
    assert [sentence.split(",")[0] for sentence in found.untold] == [
        "The training data show no hand",
        "The training data show no thorax",
    ]
    for spec in (cyberhost.paper(), emo2.paper()):
        assert spec.calibrated(found) == spec
    assert calibration_of([scores(np.ones(5))]).untold == ()


def test_a_system_asks_for_what_was_found_and_stays_the_same_network() -> None:
    found = Calibration(
        clarity_low=(3, 0.4),
        clarity_high=(30, 1.1),
        movement_box=(0.3, 0.15),
        hand_confidence=0.8,
        picture_floor_db=24,
    )
    before = cyberhost.paper()
    after = before.calibrated(found)
    (clarity,), (maps,) = after.listed(HandClarity), after.listed(DrawnMaps)
    assert (clarity.low, clarity.high) == ((3, 3, 0.4, 0.4), (30, 30, 1.1, 1.1))
    assert maps.box == (0.3, 0.15)
    assert clarity.unit == before.listed(HandClarity)[0].unit
    assert after.unet == before.unet
    (confidence,) = emo2.paper().calibrated(found).listed(HandConfidence)
    assert confidence.high == (0.8, 0.8)
    assert emo2.paper().calibrated(found).listed(DrawnMaps) == emo2.paper().listed(DrawnMaps)


def test_a_whole_store_is_measured_video_by_video(small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, videos=2, wide=1)
    assert calibrate(store) == calibration_of(store)
