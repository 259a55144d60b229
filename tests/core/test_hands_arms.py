"""Arms reach from a portrait's shoulders to the hands of a track; checked on puppets and by their bones."""

from dataclasses import replace

import numpy as np
import pytest

from cyberhost_core.errors import PoseError
from cyberhost_core.hands.arms import elbows, with_arms
from cyberhost_core.hands.parameters import HandParameters
from cyberhost_core.puppets import body as puppet_body
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import FPS, reference_portrait, render_video
from cyberhost_core.types import BODY_POINTS, FACE_POINTS, HAND_POINTS, Pose

LEFT, RIGHT = (5, 6, 7), (2, 3, 4)  # shoulder, elbow, wrist


def hands_at(*places: tuple[float, float, float], valid: bool = True) -> HandParameters:
    """Both hands open, the left one at these places over time, the right one at their mirror images."""
    left = np.array(places, dtype=float)
    both = np.stack([left, left * (-1, 1, 1) + (1, 0, 0)], axis=1)
    mask = np.full((len(left), 2), valid)
    turns = np.zeros((len(left), 2, 16, 3))
    return HandParameters.from_axis_angles(turns, both, fps=25, source="a test", valid_FH=mask)


def portrait(**points: tuple[float, float]) -> Pose:
    """A canvas of 200 x 300 whose body shows the given points alone (k5=(120, 90): point 5)."""
    body = np.zeros((1, BODY_POINTS, 3), np.float32)
    for name, place in points.items():
        body[0, int(name[1:])] = (*place, 1)
    hand = np.zeros((1, HAND_POINTS, 3), np.float32)
    return Pose(body, np.zeros((1, FACE_POINTS, 3), np.float32), hand, hand, height=300, width=200)


SHOULDERS = {"k2": (70, 90), "k5": (130, 90)}


def test_a_puppets_own_elbows_are_found_back_from_its_hands_alone():
    """Within 5 px of 128, of which the puppet's sway is half, where a straight arm is off by 15."""
    clip = render_video(7, utterance=bundled_utterances("held_out")[0], performance_seed=3, frames=40)
    size = 28 / 128 * clip.identity.hand_size
    made = with_arms(
        clip.hands.parameters(size_frac=size, fps=FPS, source="a puppet"), reference_portrait(7)[1]
    )
    true = clip.pose
    for arm in (LEFT, RIGHT):
        seen = (made.body_FKC[:, arm[1], 2] > 0) & (true.body_FKC[:, arm[1], 2] > 0)
        away = np.linalg.norm((made.body_FKC - true.body_FKC)[seen, arm[1], :2], axis=-1)
        assert seen.sum() > 10 and np.median(away) < 5
        straight = (made.body_FKC[seen, arm[0], :2] + made.body_FKC[seen, arm[2], :2]) / 2
        off = np.linalg.norm(straight - true.body_FKC[seen, arm[1], :2], axis=-1)
        assert np.median(off) > 2.5 * np.median(away)
        np.testing.assert_allclose(made.body_FKC[:, arm[2]], true.body_FKC[:, arm[2]], atol=1e-2)
    np.testing.assert_allclose(made.left_hand_FKC, true.left_hand_FKC, atol=1e-2)


def test_elbows_are_those_of_the_puppets_own_kinematics():
    """Written apart from ours, for arms of one length, wherever such an arm can reach."""
    rng = np.random.default_rng(0)
    wrist_F3 = rng.uniform(-38, 38, (500, 3))
    reached = (np.linalg.norm(wrist_F3, axis=-1) < 66) & (np.linalg.norm(wrist_F3, axis=-1) > 6)
    for outward in (1.0, -1.0):
        ours = elbows(np.zeros((500, 3)), wrist_F3, upper=36, forearm=30, outward=outward)
        theirs = puppet_body.elbows(np.zeros((500, 3)), wrist_F3, outward=outward)
        np.testing.assert_allclose(ours[reached], theirs[reached], atol=1e-9)


def test_bones_keep_their_length_where_the_wrist_can_be_reached_and_stretch_or_shrink_where_not():
    distance = np.array([0.0, 3.0, 10.0, 25.0, 50.0, 79.0, 100.0])
    wrist_F3 = distance[:, None] * np.array((0.6, 0.8, 0.0))
    elbow_F3 = elbows(np.zeros((7, 3)), wrist_F3, upper=50, forearm=30, outward=1.0)
    upper, fore = np.linalg.norm(elbow_F3, axis=-1), np.linalg.norm(wrist_F3 - elbow_F3, axis=-1)
    np.testing.assert_allclose(upper[3:6], 50)
    np.testing.assert_allclose(fore[3:6], 30)
    np.testing.assert_allclose([upper[6], fore[6]], [62.5, 37.5])  # 100 / 80 as long
    assert (upper[:3] < 50 + 1e-9).all() and np.allclose(fore[:3], 30)  # nearer than 50 - 30


def test_an_elbow_moves_without_leaps_while_the_wrist_goes_around_the_shoulder():
    turn = np.linspace(0, 2 * np.pi, 721)
    wrist_F3 = np.stack([50 * np.cos(turn), 50 * np.sin(turn), np.full(721, 10.0)], axis=1)
    elbow_F3 = elbows(np.zeros((721, 3)), wrist_F3, upper=40, forearm=35, outward=1.0)
    wrist_step = 50 * (turn[1] - turn[0])
    assert np.linalg.norm(np.diff(elbow_F3, axis=0), axis=-1).max() < 8 * wrist_step


def test_elbows_hang_outward_or_down_and_wrists_are_where_the_hands_are():
    made = with_arms(hands_at((0.6, 0.5, 0.0), (0.55, 0.6, 0.1)), portrait(**SHOULDERS))
    assert len(made) == 2
    for (_, elbow, wrist), outward, hand_FKC in (
        (LEFT, 1, made.left_hand_FKC),
        (RIGHT, -1, made.right_hand_FKC),
    ):
        np.testing.assert_allclose(made.body_FKC[:, wrist], hand_FKC[:, 0])
        middle = (made.body_FKC[:, wrist, :2] + made.body_FKC[:, wrist - 2, :2]) / 2
        beside = made.body_FKC[:, elbow, :2] - middle
        assert (beside[:, 0] * outward > 0).all() or (beside[:, 1] > 0).all()
    np.testing.assert_allclose(made.body_FKC[:, LEFT[2], :2], [[120, 150], [110, 180]], atol=1e-3)


def test_the_portraits_arms_count_where_they_look_longer_than_its_shoulders_tell():
    """A right upper arm of 80 px: the left one of the same person is as long, though it looks short."""
    shown = portrait(**SHOULDERS, k3=(70, 170), k6=(130, 110))
    body = with_arms(hands_at((0.65, 0.3 + 60 / 300, 0.0)), shown).body_FKC[0]
    reach = np.linalg.norm(body[6, :2] - body[5, :2])
    short = with_arms(hands_at((0.65, 0.5, 0.0)), portrait(**SHOULDERS)).body_FKC[0]
    assert reach > np.linalg.norm(short[6, :2] - short[5, :2]) + 5


def test_a_frame_without_a_hand_has_no_arm_there_and_keeps_the_rest():
    parameters = hands_at((0.6, 0.5, 0.0), (0.6, 0.5, 0.0))
    one = replace(parameters, valid_FH=np.array([[True, True], [False, True]]))
    made = with_arms(one, portrait(**SHOULDERS, k8=(90, 220)))
    assert (made.body_FKC[1, [6, 7]] == 0).all() and (made.left_hand_FKC[1, :, 2] == 0).all()
    assert (made.body_FKC[0, [6, 7], 2] == 1).all() and (made.body_FKC[:, [3, 4], 2] == 1).all()
    np.testing.assert_allclose(made.body_FKC[:, 8], [[90, 220, 1]] * 2)
    np.testing.assert_allclose(made.body_FKC[:, 5], [[130, 90, 1]] * 2)


def test_a_hidden_shoulder_lies_beyond_the_neck_and_a_portrait_without_any_is_refused():
    made = with_arms(hands_at((0.6, 0.5, 0.0)), portrait(k1=(100, 88), k2=(70, 90)))
    np.testing.assert_allclose(made.body_FKC[0, 5], [130, 86, 1])
    with pytest.raises(PoseError, match=r"left shoulder \(score 0\.00.*take a portrait"):
        with_arms(hands_at((0.6, 0.5, 0.0)), portrait(k2=(70, 90)))
