"""Hands posed by keyframes, brought to a length, and sized by a portrait."""

from dataclasses import replace

import numpy as np
import pytest

from cyberhost_core.errors import ConfigError, PoseError
from cyberhost_core.hands.keyframes import EASINGS, numbers_from_text, track_of_keyframes
from cyberhost_core.hands.sizes import hand_sizes
from cyberhost_core.hands.track import HandTrack, hand_tracks, load_hand_track
from cyberhost_core.hands.track_length import WHEN_SHORT, at_rate, between_secs, lasting

KEYS, TIMES = np.array([0, 30, 60]), [0.4, 1.0, 2.0]
BONE = (5, 6)  # of the index finger


@pytest.fixture(scope="module")
def example() -> HandTrack:
    (path,) = hand_tracks()
    return load_hand_track(path)


@pytest.fixture(scope="module")
def keyed(example: HandTrack) -> dict[str, HandTrack]:
    return {
        easing: track_of_keyframes(example.pose[KEYS], TIMES, fps=25.0, easing=easing) for easing in EASINGS
    }


def wrist(track: HandTrack) -> np.ndarray:
    return track.pose.left_hand_FKC[:, 0, :2]


@pytest.mark.parametrize("easing", EASINGS)
def test_every_keyframe_is_struck_at_its_time_and_the_first_is_held_before(example, keyed, easing):
    track = keyed[easing]
    assert len(track) == 51
    for frame, key in zip((10, 25, 50), KEYS, strict=True):
        for name in ("left_hand_FKC", "right_hand_FKC", "body_FKC"):
            got, wanted = (getattr(x, name)[..., :2] for x in (track.pose[[frame]], example.pose[[key]]))
            assert np.abs(got - wanted).mean() < 0.15  # px; hands are 28 px long
    assert np.ptp(wrist(track)[:11], axis=0) == pytest.approx([0, 0], abs=1e-4)


def test_easings_differ_as_they_say(keyed):
    paces = {
        name: np.linalg.norm(np.diff(wrist(track)[25:], axis=0), axis=1) for name, track in keyed.items()
    }
    assert np.ptp(paces["even"]) < 1e-3 * paces["even"].max()
    assert paces["smooth"][0] < 0.2 * paces["even"][0] < 0.2 * paces["smooth"].max()
    assert (paces["hold"][:-1] == 0).all()
    assert paces["hold"][-1] == pytest.approx(paces["even"].sum(), rel=1e-3)


def test_joints_turn_between_keyframes_so_that_bones_keep_their_length_in_space(keyed):
    """Points mixed in the picture would shrink a finger that turns over."""
    from cyberhost_core.hands.poses import hand_points

    made = keyed["even"].parameters
    points = hand_points(made, height=128, width=96)
    bones = np.linalg.norm(points[:, :, BONE[0]] - points[:, :, BONE[1]], axis=-1)
    assert np.ptp(bones, axis=0) == pytest.approx([0, 0], abs=1e-3)


def test_a_hand_that_a_keyframe_lacks_comes_from_the_nearer_one(example):
    pose = example.pose[KEYS[:2]]
    right = pose.right_hand_FKC.copy()
    right[1] = 0
    track = track_of_keyframes(replace(pose, right_hand_FKC=right), [0.0, 1.0], fps=10.0)
    seen = (track.pose.right_hand_FKC[..., 2] > 0).any(axis=1)
    assert seen.tolist() == [True] * 5 + [False] * 6
    with pytest.raises(PoseError, match="points of a hand in none"):
        track_of_keyframes(
            replace(pose, right_hand_FKC=0 * right, left_hand_FKC=0 * right), [0.0, 1.0], fps=10.0
        )


@pytest.mark.parametrize(
    ("times", "easing", "words"),
    [
        ([0.0, 1.0], "smooth", "2 keyframe times came for 3 poses"),
        ([0.0, 1.0, 1.0], "smooth", "each later than the one before"),
        ([-1.0, 1.0, 2.0], "smooth", "seconds from 0 on"),
        ([0.0, 1.0, 2.0], "bounce", "easing 'bounce' came"),
    ],
)
def test_times_that_cannot_be_are_named(example, times, easing, words):
    with pytest.raises(ConfigError, match=words):
        track_of_keyframes(example.pose[KEYS], times, fps=25.0, easing=easing)


def test_numbers_are_read_however_they_are_separated():
    assert numbers_from_text(" 0, 0.8;2\n3 ", what="times") == [0, 0.8, 2, 3]
    assert numbers_from_text("", what="times") == []
    for text in ("0, two", "nan", "1,inf"):
        with pytest.raises(ConfigError, match="came as times"):
            numbers_from_text(text, what="times")


def test_a_track_is_cut_held_looped_or_refused(example):
    assert lasting(example, 0) is example
    assert np.array_equal(wrist(lasting(example, 50)), wrist(example)[:50])
    held, looped = lasting(example, 300), lasting(example, 300, when_short="loop")
    assert (wrist(held)[112:] == wrist(example)[-1]).all()
    again = wrist(looped)[107 : 107 + 100]  # five frames fade into the beginning
    assert np.array_equal(again[5:], wrist(example)[5:100])
    longest_way = np.linalg.norm(np.diff(wrist(example), axis=0), axis=1).max()
    assert np.linalg.norm(np.diff(wrist(looped), axis=0), axis=1).max() < 2 * longest_way
    with pytest.raises(PoseError, match=r"112 frames \(4.48 s at 25 per second\), but 300 were expected"):
        lasting(example, 300, when_short="error")
    with pytest.raises(ConfigError, match="'stretch' were asked for"):
        lasting(example, 300, when_short="stretch")


@pytest.mark.parametrize("when_short", WHEN_SHORT[:2])
def test_one_pose_alone_can_last_any_time(example, when_short):
    assert len(lasting(example[:1], 500, when_short=when_short)) == 500


def test_a_rate_is_changed_before_the_length_is_counted(example):
    moved = at_rate(example, 12.5, 56, when_short="error")
    assert (len(moved), moved.fps) == (56, 12.5)


def test_a_part_is_chosen_by_seconds(example):
    assert np.array_equal(wrist(between_secs(example, 1.0, 2.0)), wrist(example)[25:50])
    assert len(between_secs(example, 1.0, 0.0)) == 112 - 25
    for start, end in ((2.0, 1.0), (0.0, 9.0), (4.48, 0.0), (-1.0, 1.0)):
        with pytest.raises(PoseError, match=r"it lasts 4\.48 s"):
            between_secs(example, start, end)


def test_hand_sizes_are_those_of_the_hands_then_of_the_shoulders_then_usual(example):
    pose = example.pose[:1]
    true = 28 / 128  # the puppets' own, times this one's hand size
    assert hand_sizes(pose) == pytest.approx((true, true), rel=0.1)
    one = replace(pose, left_hand_FKC=np.zeros_like(pose.left_hand_FKC))
    assert hand_sizes(one)[0] == hand_sizes(one)[1] == pytest.approx(true, rel=0.1)
    none = replace(one, right_hand_FKC=np.zeros_like(pose.right_hand_FKC))
    shoulders_px = np.linalg.norm(pose.body_FKC[0, 2, :2] - pose.body_FKC[0, 5, :2])
    assert hand_sizes(none)[0] == pytest.approx(0.417 * shoulders_px / 128, rel=1e-3)
    assert hand_sizes(replace(none, body_FKC=np.zeros_like(pose.body_FKC))) == (28 / 128, 28 / 128)
