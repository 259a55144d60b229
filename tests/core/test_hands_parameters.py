"""Hand parameters: their notations agree with scipy's, signs never jump, and bad numbers are named."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from cyberhost_core.errors import PoseError
from cyberhost_core.hands import quaternions
from cyberhost_core.hands.body_offset import body_offset
from cyberhost_core.hands.mixing import mixed
from cyberhost_core.hands.parameters import (
    VECTOR_NUMBERS,
    HandParameters,
    resting_vectors,
    with_unit_quaternions,
)
from cyberhost_core.puppets.gesture import gesture
from cyberhost_core.puppets.performance import random_performance
from cyberhost_core.puppets.prosody import Prosody
from cyberhost_core.types import Pose


def scipy_order(quaternion: np.ndarray) -> np.ndarray:
    return np.roll(quaternion, -1, axis=-1)  # x, y, z, w


def gestures(seed: int, frames: int = 240) -> HandParameters:
    onset_F = np.zeros(frames)
    onset_F[11::11] = 1
    beats = Prosody(energy_F=np.ones(frames), onset_F=onset_F)
    motion = gesture(
        random_performance(seed), beats=beats, offset_F2=np.zeros((frames, 2)), hand_size=1.0, fps=25
    )
    return motion.parameters(size_frac=28 / 128, fps=25, source="a puppet")


def random_parameters(seed: int, frames: int = 6, *, turn: float = 0.8) -> HandParameters:
    rng = np.random.default_rng(seed)
    rotations, places = rng.normal(0, turn, (frames, 2, 16, 3)), rng.random((frames, 2, 3))
    return HandParameters.from_axis_angles(rotations, places, fps=25, source="a test")


# --- notations


def test_axis_angles_of_every_size_and_quaternions_are_scipys():
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(300, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = np.concatenate([rng.uniform(0, np.pi, 290), [0, 1e-12, 1e-8, 1e-5], np.full(6, np.pi - 1e-9)])
    vectors = axes * angles[:, None]
    wanted = Rotation.from_rotvec(vectors)
    made = quaternions.from_axis_angles(vectors)
    np.testing.assert_allclose(scipy_order(made), wanted.as_quat(canonical=True), atol=1e-9)
    np.testing.assert_allclose(quaternions.to_axis_angles(made), vectors, atol=1e-9)
    np.testing.assert_allclose(quaternions.to_matrices(made), wanted.as_matrix(), atol=1e-9)
    back = Rotation.from_quat(scipy_order(quaternions.from_matrices(wanted.as_matrix())))
    assert (back * wanted.inv()).magnitude().max() < 1e-7


def test_slerp_is_scipys_and_takes_the_shorter_way_whatever_the_sign():
    pair = Rotation.random(2, random_state=3)
    shares = np.linspace(0, 1, 11)
    wanted = Slerp([0, 1], pair)(shares)
    first, second = np.roll(pair.as_quat(), 1, axis=-1)
    for sign in (1, -1):
        made = quaternions.slerp(first, sign * second, shares[:, None])
        off = Rotation.from_quat(scipy_order(made)) * wanted.inv()
        assert off.magnitude().max() < 1e-7


def test_slerp_between_a_turn_and_itself_stays():
    one = quaternions.from_axis_angles(np.array([0.3, -0.2, 1.0]))
    np.testing.assert_allclose(quaternions.slerp(one, one, np.array([0.37])), one, atol=1e-12)


def test_48_angles_and_3_places_a_hand_make_134_numbers_and_come_back():
    assert VECTOR_NUMBERS == 134 == 2 * (64 + 3)
    rng = np.random.default_rng(1)
    rotations, places = rng.uniform(-1.5, 1.5, (5, 2, 16, 3)), rng.random((5, 2, 3))
    made = HandParameters.from_axis_angles(rotations, places, fps=25, source="a test")
    assert made.vectors_FD.shape == (5, 134) and made.vectors_FD.dtype == np.float32
    # left hand first: 16 quaternions w, x, y, z, then its place
    wrist = np.roll(Rotation.from_rotvec(rotations[0, 0, 0]).as_quat(), 1)
    assert min(np.abs(made.vectors_FD[0, :4] - sign * wrist).max() for sign in (1, -1)) < 1e-6
    np.testing.assert_allclose(made.vectors_FD[:, 64:67], places[:, 0], atol=1e-6)
    np.testing.assert_allclose(made.vectors_FD[:, 131:], places[:, 1], atol=1e-6)
    back, places_back = made.axis_angles()
    same = Rotation.from_rotvec(back.reshape(-1, 3)) * Rotation.from_rotvec(rotations.reshape(-1, 3)).inv()
    assert same.magnitude().max() < 1e-5
    np.testing.assert_allclose(places_back, places, atol=1e-6)


# --- signs


def turning(angles_F: np.ndarray) -> np.ndarray:
    """Rotations (F, 2, 16, 3) of wrists that turn by angles, each written as at most half a turn."""
    rotations = np.zeros((len(angles_F), 2, 16, 3))
    turn = Rotation.from_rotvec(angles_F[:, None] * np.array([0.6, 0.0, 0.8]))
    rotations[:, :, 0] = turn.as_rotvec()[:, None]
    return rotations


def test_a_hand_that_turns_round_and_round_has_no_jump_in_its_numbers():
    rotations = turning(np.linspace(0, 12, 200))
    assert np.abs(np.diff(rotations, axis=0)).max() > 2  # the angles themselves jump at half a turn
    made = HandParameters.from_axis_angles(rotations, np.zeros((200, 2, 3)), fps=25, source="a test")
    assert np.abs(np.diff(made.vectors_FD, axis=0)).max() < 0.04
    assert (np.sign(made.vectors_FD[:, 0]) < 0).any()


def test_frames_in_which_a_hand_is_not_seen_do_not_cut_its_signs():
    rotations = turning(np.linspace(2, 5, 60))
    valid = np.ones((60, 2), dtype=bool)
    valid[20:24, 0] = False
    made = HandParameters.from_axis_angles(
        rotations, np.zeros((60, 2, 3)), fps=25, source="a test", valid_FH=valid
    )
    seen = made.quaternions()[valid[:, 0], 0, 0]
    assert np.abs(np.diff(seen, axis=0)).max() < 0.2


def test_the_sign_of_a_gesture_does_not_depend_on_where_its_clip_begins():
    """Otherwise a network would see each pose as two."""
    for seed in range(6):
        whole = gestures(seed)
        for first in range(0, 240, 7):
            np.testing.assert_array_equal(whole[first:].vectors_FD, whole.vectors_FD[first:])


# --- what is checked


def test_a_rounded_quaternion_is_brought_back_to_length_1():
    vectors = random_parameters(2).vectors_FD
    made = HandParameters(vectors.round(2), np.ones((6, 2)), fps=25, source="a test")
    lengths = np.linalg.norm(made.quaternions(), axis=-1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_what_is_not_valid_rests_and_may_hold_anything():
    vectors = random_parameters(2).vectors_FD.copy()
    vectors[3, :67] = np.nan
    valid = np.ones((6, 2), dtype=bool)
    valid[3, 0] = False
    made = HandParameters(vectors, valid, fps=25, source="a test")
    np.testing.assert_array_equal(made.vectors_FD[3, :67], resting_vectors(1)[0, :67])


def test_what_a_network_makes_is_brought_onto_unit_quaternions():
    raw = np.random.default_rng(0).normal(size=(4, 134)).astype(np.float32)
    raw[0, :4] = 0
    made = HandParameters(with_unit_quaternions(raw), np.ones((4, 2)), fps=25, source="a network")
    np.testing.assert_allclose(np.linalg.norm(made.quaternions(), axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(made.translations()[:, 0], raw[:, 64:67])
    np.testing.assert_array_equal(np.abs(made.quaternions()[0, 0, 0]), (1, 0, 0, 0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vectors_FD": np.zeros((6, 102))}, r"shape \[6, 102\], but .* 134 numbers"),
        ({"vectors_FD": np.zeros((0, 134))}, r"shape \[0, 134\]"),
        ({"vectors_FD": np.full((6, 134), np.nan)}, "values that are not numbers"),
        ({"vectors_FD": 2 * random_parameters(0).vectors_FD}, "quaternion of length 2, but 1 was"),
        ({"valid_FH": np.ones((6, 1))}, r"mask .* shape \[6, 1\]"),
        ({"fps": 0.0}, "rate of 0.0"),
        ({"fps": float("nan")}, "rate of nan"),
        ({"sizes_frac_FH": np.array([[0.2, -0.1]])}, "hand of size -0.1"),
        ({"sizes_frac_FH": np.array([0.2])}, r"hand sizes .* shape \[1\]"),
        ({"offset_FD": np.zeros((3, 8))}, r"body offsets .* shape \[3, 8\]"),
    ],
)
def test_bad_parameters_are_refused_with_their_fault(changes: dict, message: str):
    with pytest.raises(PoseError, match=message):
        replace(random_parameters(0), **changes)


def test_that_there_is_no_hand_is_said():
    nobody = HandParameters(resting_vectors(3), np.zeros((3, 2)), fps=25, source="a test")
    with pytest.raises(PoseError, match="show no hand in any of their 3 frames"):
        nobody.require_hands()


# --- the body


def body(**places: tuple[float, float]) -> Pose:
    pose = Pose.from_packed(np.zeros((1, 128, 3), np.float32), height=200, width=100)
    for name, place in places.items():
        pose.body_FKC[0, {"neck": 1, "right": 2, "left": 5}[name]] = (*place, 1)
    return pose


def test_the_offset_tells_where_shoulders_are_and_how_their_line_turns():
    found = body_offset(body(neck=(50, 60), right=(30, 50), left=(70, 70)))[0]
    turn = np.arctan2(20, 40)
    np.testing.assert_allclose(found, [1, 0.7, 0.35, turn, 1, 0.3, 0.25, turn], atol=1e-6)


def test_a_hidden_shoulder_lies_as_far_beyond_the_neck_as_the_other():
    found = body_offset(body(neck=(50, 60), right=(30, 50)))
    np.testing.assert_allclose(found, body_offset(body(neck=(50, 60), right=(30, 50), left=(70, 70))))


def test_an_unknown_body_has_no_offset():
    assert not body_offset(body()).any() and not body_offset(body(neck=(50, 60))).any()


# --- mixing


def test_half_way_between_two_hands_is_half_the_turn_and_half_the_way():
    one = random_parameters(4)
    far = np.array([0.2, 0.0, 0.0])
    rotations, places = one.axis_angles()
    bent = Rotation.from_rotvec(rotations.reshape(-1, 3)) * Rotation.from_rotvec([0, 0, 1.0])
    two = HandParameters.from_axis_angles(
        bent.as_rotvec().reshape(rotations.shape), places + far, fps=25, source="a test"
    )
    half = mixed(one, two, np.full(6, 0.5))
    wanted = Rotation.from_rotvec(rotations.reshape(-1, 3)) * Rotation.from_rotvec([0, 0, 0.5])
    off = Rotation.from_matrix(half.matrices().reshape(-1, 3, 3)) * wanted.inv()
    assert off.magnitude().max() < 1e-5
    np.testing.assert_allclose(half.translations(), places + far / 2, atol=1e-6)


def test_a_hand_that_only_one_has_is_taken_from_the_nearer():
    one = random_parameters(4)
    two = replace(random_parameters(5), valid_FH=np.tile([True, False], (6, 1)))
    made = mixed(one, two, np.array([0, 0.2, 0.4, 0.6, 0.8, 1]))
    assert made.valid_FH[:, 1].tolist() == [True] * 3 + [False] * 3
    np.testing.assert_allclose(made.vectors_FD[:3, 67:], one.vectors_FD[:3, 67:], atol=1e-6)
