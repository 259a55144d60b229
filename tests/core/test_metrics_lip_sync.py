"""Lips are compared with the opening that the voice asks for."""

import numpy as np
import pytest

from cyberhost_core.metrics.lip_sync import lip_sync, mouth_opening, shuffled_lip_sync
from cyberhost_core.puppets import world
from cyberhost_core.puppets.face import MAX_OPENING
from cyberhost_core.puppets.speech import bundled_utterances, mouth_shape

FRAMES = 60


@pytest.fixture(scope="module")
def openings() -> list[np.ndarray]:
    return [
        mouth_shape(utterance.wave_T, fps=25, frames=85).opening_F
        for utterance in bundled_utterances("held_out")
    ]


@pytest.fixture(scope="module")
def face_FKC(module_patch: pytest.MonkeyPatch) -> np.ndarray:
    """The exact face of a talking puppet; nothing is drawn."""
    module_patch.setattr(world, "render_frames", lambda _scene, **_size: np.zeros((1, 1, 1, 3), np.uint8))
    utterance = bundled_utterances("held_out")[0]
    return world.render_video(1_000_004, utterance=utterance, performance_seed=1, frames=FRAMES).pose.face_FKC


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_the_opening_is_the_lips_distance_in_distances_of_the_eyes(face_FKC, openings) -> None:
    measured = mouth_opening(face_FKC)
    eyes = face_FKC[0, 36:48, :2].reshape(2, 6, 2).mean(axis=1)
    expected = openings[0][:FRAMES] * MAX_OPENING / np.linalg.norm(eyes[1] - eyes[0])
    np.testing.assert_allclose(measured, expected, atol=0.01)


def test_a_true_puppet_is_in_sync_with_its_own_voice_only(face_FKC, openings) -> None:
    measured = mouth_opening(face_FKC)
    own = lip_sync(measured, openings[0][:FRAMES])
    assert own.correlation > 0.99
    assert own.best_lag_frames == 0
    assert own.seen_share == 1.0
    assert shuffled_lip_sync(measured, openings[1:]) < 0.15


def test_perfect_lips_are_at_chance_with_other_voices(openings) -> None:
    found = [
        shuffled_lip_sync(own[:FRAMES], openings[:number] + openings[number + 1 :])
        for number, own in enumerate(openings)
    ]
    assert abs(np.mean(found)) < 0.1


@pytest.mark.parametrize("lag", [-3, -1, 0, 2, 3])
def test_the_best_lag_is_how_late_the_lips_are(openings, lag: int) -> None:
    late = np.roll(openings[2], lag)
    assert lip_sync(late[5:-5], openings[2][5:-5]).best_lag_frames == lag


def test_scale_and_offset_of_the_measured_opening_do_not_matter(openings) -> None:
    assert lip_sync(3 * openings[0] + 7, openings[0]).correlation == pytest.approx(1.0)


def test_a_frozen_mouth_scores_zero(openings) -> None:
    assert lip_sync(np.full(85, 0.2), openings[0]).correlation == 0.0


def test_frames_without_a_mouth_lower_the_score_and_too_many_end_it(openings) -> None:
    true_F, measured_F = openings[0], openings[0].astype(float).copy()
    measured_F[20:35] = np.nan
    some = lip_sync(measured_F, true_F)
    assert 0.5 < some.correlation < 0.97
    assert some.seen_share == pytest.approx(70 / 85)
    measured_F[:60] = np.nan
    assert lip_sync(measured_F, true_F).correlation == 0.0


def test_lips_or_eyes_that_are_not_seen_leave_the_opening_unknown(face_FKC) -> None:
    hidden = face_FKC.copy()
    hidden[3, 62, 2] = hidden[5, 40, 2] = 0.1
    hidden[7, 36:48, :2] = 0  # both eyes at one place
    assert np.flatnonzero(np.isnan(mouth_opening(hidden))).tolist() == [3, 5, 7]
