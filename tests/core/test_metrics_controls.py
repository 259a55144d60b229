"""Movement and clarity: what is measured follows what true puppets do."""

from dataclasses import replace

import numpy as np
import pytest

from cyberhost_core.metrics.clarity import hand_sharpness
from cyberhost_core.metrics.movement import movement
from cyberhost_core.puppets.identity import random_identity
from cyberhost_core.puppets.performance import random_performance
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import render_performance
from cyberhost_core.types import THORAX, Pose

BOX = np.array([40.0, 60.0, 50.0, 66.0])


def thorax_at(places_F2: np.ndarray) -> Pose:
    frames = len(places_F2)
    body = np.zeros((frames, 18, 3))
    body[:, THORAX, :2], body[:, THORAX, 2] = places_F2, 1.0
    hand = np.zeros((frames, 21, 3))
    return Pose(body, np.zeros((frames, 68, 3)), hand, hand, 128, 96)


def test_inside_is_counted_with_one_pixel_to_spare() -> None:
    pose = thorax_at(np.array([[45, 63], [40, 60], [39.2, 66.9], [38.8, 63], [45, 67.2]]))
    assert movement(pose, box=BOX).inside_share == pytest.approx(3 / 5)


def test_the_spare_pixel_grows_with_the_picture() -> None:
    large = thorax_at(np.array([[39.2, 63.0]])).scaled(height=256, width=192)
    assert movement(large, box=2 * BOX).inside_share == 1.0


def test_a_thorax_that_is_not_seen_is_outside_and_has_no_range() -> None:
    pose = thorax_at(np.full((4, 2), 61.0))
    pose.body_FKC[:, THORAX, 2] = 0.1
    found = movement(pose, box=np.array([0.0, 0.0, 96.0, 128.0]))
    assert (found.inside_share, found.range_px) == (0.0, 0.0)


def test_the_range_is_the_diagonal_and_one_lost_frame_does_not_stretch_it() -> None:
    places = np.stack([np.linspace(40, 43, 41), np.linspace(60, 64, 41)], axis=1)
    calm = movement(thorax_at(places), box=BOX).range_px
    assert calm == pytest.approx(5.0 * 0.9)  # a 3-4-5 triangle, its middle 90 %
    places[20] = (90, 120)
    assert movement(thorax_at(places), box=BOX).range_px == pytest.approx(calm, rel=0.1)


def test_true_hands_get_sharper_as_the_lens_and_the_shutter_do() -> None:
    identity, utterance = random_identity(1_000_007), bundled_utterances("held_out")[1]
    sharpness = []
    for blur in (1.0, 0.5, 0.0):
        performance = replace(random_performance(2), exposure_frames=blur, defocus=1.6 * blur)
        video = render_performance(identity, utterance=utterance, performance=performance, frames=6)
        sharpness.append(hand_sharpness(video.frames_FYXC, video.pose))
    assert sharpness[0] < 0.8 * sharpness[1] < 0.8 * sharpness[2]


def test_hands_that_are_never_seen_have_no_sharpness() -> None:
    assert np.isnan(hand_sharpness(np.zeros((2, 128, 96, 3), np.uint8), thorax_at(np.zeros((2, 2)))))
