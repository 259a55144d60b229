"""DIV, BA, PCK and FGD on motions whose answer is known before anything is computed."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import linalg

from cyberhost_core.errors import CheckpointError, ConfigError, MissingExtraError
from cyberhost_core.exams.gestures.feature_training import (
    FEATURES_LOOP,
    feature_trainer,
    feature_windows,
    train_gesture_features,
)
from cyberhost_core.exams.gestures.gesture_numbers import GestureTruth, Motion
from cyberhost_core.exams.gestures.gesture_report import (
    GestureReport,
    GestureSection,
    amplitude_row,
    gesture_rows,
    with_compared,
)
from cyberhost_core.hands.kinematics import hand_keypoints
from cyberhost_core.hands.parameters import HandParameters
from cyberhost_core.hands.rotations import rotation_matrices
from cyberhost_core.metrics.beat_alignment import SIGMA_SECS, beat_alignment, usual_lag
from cyberhost_core.metrics.frechet_gesture import (
    frechet_distance,
    frechet_gesture_distance,
    gaussian_frechet_distance,
)
from cyberhost_core.metrics.gesture_beats import audio_beats, motion_beats, motion_strokes
from cyberhost_core.metrics.gesture_features import (
    GestureFeatures,
    GestureFeaturesConfig,
    load_gesture_features,
    motion_features,
    save_gesture_features,
)
from cyberhost_core.metrics.gesture_windows import motion_windows, rotation_inputs
from cyberhost_core.metrics.hand_joints import amplitude, hand_length, known_vectors, picture_joints
from cyberhost_core.metrics.keypoint_accuracy import pck, pck_of_hand
from cyberhost_core.metrics.motion_diversity import diversity
from cyberhost_core.puppets.gesture import gesture
from cyberhost_core.puppets.performance import random_performance
from cyberhost_core.puppets.prosody import Prosody

FPS = 25.0
HANDS = (2, 21, 3)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def moving_at(speed_F: np.ndarray) -> np.ndarray:
    """Both hands go in one direction with these speeds from frame to frame."""
    way_F = np.concatenate([[0.0], np.cumsum(speed_F)]) / FPS
    return noise(*HANDS) + way_F[:, None, None, None] * np.array([0.6, 0.0, 0.8])


def resting_at(times: Sequence[float], *, frames: int = 100) -> np.ndarray:
    """Both hands slow down to a standstill at each of these times."""
    between = (np.arange(frames - 1) + 0.5) / FPS
    near = np.exp(-((between[:, None] - np.array(times)[None]) ** 2) / (2 * 0.06**2))
    return moving_at(1.0 - near.max(axis=1))


# DIV


def test_copies_of_a_motion_have_no_diversity() -> None:
    one = noise(6, *HANDS)
    found = diversity(np.stack([one, one, one]))
    assert (found.pairwise, found.moving) == (0.0, 0.0)


def test_motions_at_other_places_differ_by_the_distance_but_do_not_move_differently() -> None:
    one = noise(6, *HANDS)
    found = diversity(np.stack([one, one + np.array([3.0, 4.0, 0.0])]))
    assert found.pairwise == pytest.approx(5.0)
    assert found.moving == pytest.approx(0.0, abs=1e-12)


def test_diversity_is_the_mean_distance_over_pairs_frames_and_joints() -> None:
    motions = noise(3, 4, *HANDS)
    distances = [
        math.dist(motions[i, frame, hand, joint], motions[j, frame, hand, joint])
        for i in range(3)
        for j in range(i + 1, 3)
        for frame in range(4)
        for hand in range(2)
        for joint in range(21)
    ]
    assert diversity(motions).pairwise == pytest.approx(sum(distances) / len(distances))


def test_motions_twice_as_large_are_twice_as_diverse() -> None:
    motions = noise(3, 5, *HANDS)
    once, twice = diversity(motions), diversity(2 * motions)
    assert twice.pairwise == pytest.approx(2 * once.pairwise)
    assert twice.moving == pytest.approx(2 * once.moving)


def test_one_far_outlier_among_equals_counts_with_its_share_of_the_pairs() -> None:
    motions = np.repeat(noise(1, 5, *HANDS), 5, axis=0)
    motions[2] += (0.0, 0.0, 10.0)
    assert diversity(motions).pairwise == pytest.approx(10.0 * 4 / 10)


def test_a_hand_that_only_one_motion_shows_says_nothing() -> None:
    motions = np.repeat(noise(1, 5, *HANDS), 2, axis=0)
    motions[1] += (1.0, 0.0, 0.0)
    motions[1, :, 0] = np.nan
    assert diversity(motions).pairwise == pytest.approx(1.0)
    motions[:, :, 1] = np.nan
    assert math.isnan(diversity(motions).pairwise)


def test_one_motion_alone_or_vectors_instead_of_joints_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"1 motion .* at least 2"):
        diversity(noise(1, 5, *HANDS))
    with pytest.raises(ConfigError, match=r"shape \(5, 134\).* joints of"):
        diversity(noise(2, 5, 134))
    with pytest.raises(ConfigError, match=r"5 to 6 frames .* cut them"):
        diversity([noise(5, *HANDS), noise(6, *HANDS)])


# BA: scores


def test_beats_on_every_onset_are_perfect() -> None:
    onsets = np.array([0.3, 0.9, 1.7, 2.2])
    found = beat_alignment(onsets, onsets, duration_secs=3.0)
    assert (found.score, found.sound_to_motion, found.motion_to_sound) == (1.0, 1.0, 1.0)
    assert found.chance < 0.8
    assert found.above_chance == pytest.approx(1.0)


@pytest.mark.parametrize("sign", [-1, 1])
def test_beats_off_by_sigma_score_exp_of_minus_a_half_unless_that_lag_is_expected(sign: int) -> None:
    onsets, late = np.arange(1.0, 6.0), np.arange(1.0, 6.0) + sign * SIGMA_SECS
    found = beat_alignment(late, onsets, duration_secs=7.0)
    assert found.score == pytest.approx(math.exp(-0.5))
    expected = beat_alignment(late, onsets, duration_secs=7.0, lag_secs=sign * SIGMA_SECS)
    assert expected.score == pytest.approx(1.0)


def test_each_way_is_the_mean_over_beats_to_the_nearest_other_beat() -> None:
    rng = np.random.default_rng(3)
    sound, motion = np.sort(rng.uniform(0, 4, 9)), np.sort(rng.uniform(0, 4, 5))

    def one_way(beats: np.ndarray, others: np.ndarray) -> float:
        nearest = [min(abs(beat - other) for other in others) for beat in beats]
        return sum(math.exp(-(d**2) / (2 * 0.1**2)) for d in nearest) / len(nearest)

    found = beat_alignment(motion, sound, duration_secs=4.0)
    there, back = one_way(sound, motion), one_way(motion, sound)
    assert found.sound_to_motion == pytest.approx(there)
    assert found.motion_to_sound == pytest.approx(back)
    assert found.score == pytest.approx(2 * there * back / (there + back))


def test_a_motion_without_beats_scores_zero_and_a_sound_without_onsets_cannot_be_scored() -> None:
    still = beat_alignment(np.zeros(0), np.array([1.0]), duration_secs=2.0)
    assert still.score == 0.0
    assert "no beats" in still.reason
    silent = beat_alignment(np.array([1.0]), np.zeros(0), duration_secs=2.0)
    assert math.isnan(silent.score)
    assert "no onsets" in silent.reason


def test_neither_beats_everywhere_nor_one_beat_on_one_onset_wins() -> None:
    onsets = np.arange(0.5, 10.0, 1.0)
    everywhere = beat_alignment(np.arange(0.02, 10.0, 0.04), onsets, duration_secs=10.0)
    assert everywhere.sound_to_motion > 0.98
    assert everywhere.score < 0.5
    assert abs(everywhere.above_chance) < 0.05
    single = beat_alignment(onsets[:1], onsets, duration_secs=10.0)
    assert single.motion_to_sound == 1.0
    assert single.score < 0.2


def test_beats_beyond_the_end_are_left_out() -> None:
    found = beat_alignment(np.array([1.0, 5.0]), np.array([1.0, 9.0]), duration_secs=2.0)
    assert found.score == 1.0


def test_the_lag_of_true_motion_is_found() -> None:
    rng = np.random.default_rng(0)
    clips = [(onsets + 0.12, onsets, 8.0) for onsets in (np.sort(rng.uniform(0.5, 7.5, 7)) for _ in range(4))]
    assert usual_lag(clips) == pytest.approx(0.12)


def test_impossible_settings_of_the_alignment_are_refused() -> None:
    with pytest.raises(ConfigError, match="sigma of 0"):
        beat_alignment(np.ones(1), np.ones(1), duration_secs=2.0, sigma_secs=0)


# BA: beats


def test_beats_are_where_the_hands_come_to_rest() -> None:
    times = [0.5, 1.1, 2.3, 3.02]  # each between two frames, where a speed is
    np.testing.assert_allclose(motion_beats(resting_at(times), fps=FPS), times)


def test_the_size_of_a_motion_does_not_move_its_beats() -> None:
    joints = moving_at(np.random.default_rng(4).uniform(0.0, 2.0, 80))
    beats = motion_beats(joints, fps=FPS)
    assert len(beats) > 3
    np.testing.assert_allclose(motion_beats(40.0 * joints, fps=FPS), beats)


def test_hands_that_stand_still_or_never_slow_down_have_no_beats() -> None:
    assert len(motion_beats(np.repeat(noise(1, *HANDS), 50, axis=0), fps=FPS)) == 0
    assert len(motion_beats(moving_at(np.ones(50)), fps=FPS)) == 0
    shallow = 1.0 + 0.1 * np.sin(np.arange(50))
    assert len(motion_beats(moving_at(shallow), fps=FPS)) == 0


def test_a_hold_counts_once_from_when_the_hands_stop() -> None:
    speed = np.ones(50)
    speed[20:30] = 0.0
    np.testing.assert_allclose(motion_beats(moving_at(speed), fps=FPS), [20.5 / FPS])


def test_beats_closer_than_hands_can_rest_are_one_and_the_deeper_one_stays() -> None:
    speed = np.ones(50)
    speed[[20, 22]] = (0.3, 0.1)
    np.testing.assert_allclose(motion_beats(moving_at(speed), fps=FPS), [22.5 / FPS])


def test_strokes_are_where_the_hands_are_fastest() -> None:
    speed = np.ones(50)
    speed[[12, 31]] = 4.0
    np.testing.assert_allclose(motion_strokes(moving_at(speed), fps=FPS), [12.5 / FPS, 31.5 / FPS])


def test_hands_that_leave_the_picture_make_no_beat_and_one_hand_is_enough() -> None:
    joints = resting_at([0.5, 3.02])
    joints[40:50] = np.nan
    joints[:, 0] = np.nan
    np.testing.assert_allclose(motion_beats(joints, fps=FPS), [0.5, 3.02])


def test_frames_in_random_order_tremble_and_do_not_beat_with_the_sound() -> None:
    onsets = np.array([0.3, 0.9, 1.7, 2.22, 3.1, 4.5, 5.9, 6.3, 7.1])
    joints = resting_at(onsets, frames=200)
    shuffled = np.random.default_rng(1).permutation(joints)
    own = beat_alignment(motion_beats(joints, fps=FPS), onsets, duration_secs=8.0)
    lost = beat_alignment(motion_beats(shuffled, fps=FPS), onsets, duration_secs=8.0)
    assert own.score > 0.98
    assert lost.score < 0.75
    assert own.above_chance > 0.97
    assert abs(lost.above_chance) < 0.3


@pytest.mark.slow  # librosa compiles itself, for a minute
def test_onsets_of_clicks_are_found_and_silence_has_none() -> None:
    pytest.importorskip("librosa")
    wave, times = np.zeros(3 * 16_000, dtype=np.float32), (0.5, 1.2, 2.1)
    for time in times:
        start = round(time * 16_000)
        wave[start : start + 800] = 0.5 * np.sin(0.4 * np.arange(800)) * np.exp(-np.arange(800) / 150)
    np.testing.assert_allclose(audio_beats(wave, rate_hz=16_000), times, atol=0.03)
    assert len(audio_beats(1e-5 * noise(16_000), rate_hz=16_000)) == 0


def test_without_librosa_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(MissingExtraError, match=r"librosa.*pip install 'cyberhost\[audio\]'"):
        audio_beats(np.zeros(16_000), rate_hz=16_000)


# PCK


def test_a_motion_is_as_right_as_its_share_of_joints_within_delta() -> None:
    true = noise(4, *HANDS)
    generated = true.copy()
    assert pck(generated, true, delta=0.1) == 1.0
    generated[:, 0] += (0.3, 0.4, 0.0)
    assert pck(generated, true, delta=0.49) == 0.5
    assert pck(generated, true, delta=0.51) == 1.0
    generated[0, 1, :7] += 100.0  # a far outlier counts as one wrong joint, however far
    assert pck(generated, true, delta=0.49) == pytest.approx(0.5 - 7 / (4 * 42))


def test_a_joint_just_at_delta_is_right() -> None:
    true = np.zeros((1, *HANDS))
    assert pck(true + np.array([0.25, 0.0, 0.0]), true, delta=0.25) == 1.0


def test_a_missing_hand_is_wrong_unless_the_truth_lacks_it_too() -> None:
    true, generated = noise(4, *HANDS), noise(4, *HANDS)
    generated[:, 0] = np.nan
    assert pck(generated, true, delta=0.1) == 0.5
    true[:, 0] = np.nan
    assert pck(generated, true, delta=0.1) == 1.0
    assert math.isnan(pck(generated, np.full_like(true, np.nan), delta=0.1))


def test_in_hand_lengths_the_size_of_the_picture_does_not_matter() -> None:
    true = true_motion(0).joints_FHKC
    off = true + np.array([0.4 * hand_length(true), 0.0, 0.0])
    assert pck_of_hand(off, true) == pck_of_hand(100 * off, 100 * true) == 1.0
    assert (
        pck_of_hand(off, true, hand_lengths=0.39)
        == pck_of_hand(100 * off, 100 * true, hand_lengths=0.39)
        == 0
    )


def test_a_fist_is_as_long_as_an_open_hand() -> None:
    flat, fist = np.zeros((1, 16, 3)), np.zeros((1, 16, 3))
    fist[:, 1:, 2] = 1.5
    lengths = [
        hand_length(np.stack([hand_keypoints(turns, side=side) for side in ("left", "right")], axis=1))
        for turns in (flat, fist)
    ]
    assert lengths[0] == pytest.approx(lengths[1])
    assert lengths[0] == pytest.approx(1.0, abs=0.02)  # the skeleton's own unit


def test_motions_of_other_lengths_and_no_tolerance_are_refused() -> None:
    with pytest.raises(ConfigError, match="cut both to the same frames"):
        pck(noise(4, *HANDS), noise(5, *HANDS), delta=0.1)
    with pytest.raises(ConfigError, match="delta of PCK was 0"):
        pck(noise(4, *HANDS), noise(4, *HANDS), delta=0)


# FGD: the distance


def exactly(mean: np.ndarray, covariance: np.ndarray, *, count: int = 60) -> np.ndarray:
    """Vectors whose sample mean and covariance are these, not only nearly."""
    raw = noise(count, len(mean), seed=7)
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return white @ np.real(linalg.sqrtm(covariance)) + mean


def test_a_set_and_itself_have_no_distance() -> None:
    vectors = 1e3 * noise(50, 6)
    assert frechet_distance(vectors, vectors) < 1e-6
    assert frechet_distance(vectors, vectors[::-1]) < 1e-6


def test_known_normal_distributions_have_the_distance_of_the_closed_form() -> None:
    means, deviations = noise(2, 5), np.array([[1.0, 2.0, 0.5, 3.0, 1.0], [2.0, 2.0, 1.0, 0.25, 4.0]])
    sets = [exactly(mean, np.diag(deviation**2)) for mean, deviation in zip(means, deviations, strict=True)]
    expected = ((means[0] - means[1]) ** 2).sum() + ((deviations[0] - deviations[1]) ** 2).sum()
    assert frechet_distance(*sets) == pytest.approx(expected)


def test_full_covariances_agree_with_scipys_matrix_root() -> None:
    a, b = noise(5, 5, seed=1), noise(5, 5, seed=2)
    cov_a, cov_b, mean = a @ a.T, b @ b.T, np.zeros(5)
    expected = np.trace(cov_a + cov_b - 2 * np.real(linalg.sqrtm(cov_a @ cov_b)))
    assert gaussian_frechet_distance((mean, cov_a), (mean, cov_b)) == pytest.approx(expected)


def test_motion_that_never_changes_has_a_distance_too() -> None:
    frozen = np.tile(noise(1, 4), (20, 1))
    moving = exactly(frozen[0], np.diag([1.0, 4.0, 9.0, 0.25]))
    assert frechet_distance(frozen, moving) == pytest.approx(1.0 + 4.0 + 9.0 + 0.25)


def test_one_far_outlier_raises_the_distance() -> None:
    vectors = noise(80, 4)
    outlier = vectors.copy()
    outlier[3] += 50.0
    assert frechet_distance(vectors, outlier) > 100 * frechet_distance(vectors, noise(80, 4, seed=9))


def test_too_few_vectors_are_refused_in_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"got 7 vectors in its second set, but 4 features need at least 8"):
        frechet_distance(noise(8, 4), noise(7, 4))


# FGD: windows and features


def true_parameters(seed: int, *, frames: int = 160, every: int = 11) -> HandParameters:
    """A puppet's gestures to regular beats."""
    onset_F = np.zeros(frames)
    onset_F[every::every] = 1.0
    beats = Prosody(np.ones(frames), onset_F)
    still = np.zeros((frames, 2))
    hands = gesture(random_performance(seed), beats=beats, offset_F2=still, hand_size=1.0, fps=FPS)
    return HandParameters.from_axis_angles(hands.rotations, hands.translations, fps=FPS, source="puppet")


def true_motion(seed: int, *, frames: int = 160) -> Motion:
    parameters = true_parameters(seed, frames=frames)
    return Motion(known_vectors(parameters), picture_joints(parameters, height=128, width=96))


@pytest.fixture(scope="module")
def motions() -> list[np.ndarray]:
    return [true_parameters(seed).vectors_FD for seed in range(16)]


@pytest.fixture(scope="module")
def features(motions: list[np.ndarray]) -> GestureFeatures:
    config = GestureFeaturesConfig(features=8, width=32)
    return train_gesture_features(motions, config=config, loop=FEATURES_LOOP.derive(steps=150))


def test_rotations_are_the_first_columns_of_their_matrices_whatever_the_quaternions_sign() -> None:
    parameters = true_parameters(3, frames=5)
    inputs = rotation_inputs(parameters.vectors_FD).reshape(5, 2, 99)
    matrices = rotation_matrices(parameters.axis_angles()[0].astype(np.float64))
    columns = np.concatenate([matrices[..., 0], matrices[..., 1]], axis=-1).reshape(5, 2, 96)
    np.testing.assert_allclose(inputs[..., :96], columns, atol=1e-5)
    np.testing.assert_allclose(inputs[..., 96:], parameters.translations(), atol=1e-6)
    turned = parameters.vectors_FD.reshape(5, 2, 67).copy()
    turned[..., :64] *= -1
    np.testing.assert_array_equal(rotation_inputs(turned.reshape(5, 134)).reshape(5, 2, 99), inputs)


def test_windows_begin_every_eight_frames_and_never_hold_a_missing_hand(motions: list[np.ndarray]) -> None:
    whole, gap = motions[0][:64], motions[1][:64].copy()
    gap[40, :67] = np.nan  # in the windows from frames 16, 24 and 32
    windows = motion_windows([whole, gap, motions[2][:31]], window=32)
    assert windows.shape == (5 + 2, 32, 198)
    np.testing.assert_array_equal(windows[1], rotation_inputs(whole)[8:40])


def test_training_learns_motion_and_repeats_itself(
    motions: list[np.ndarray], features: GestureFeatures
) -> None:
    import torch

    windows = torch.from_numpy(motion_windows([true_parameters(99).vectors_FD], window=32))
    assert float(features.reconstruction_loss(windows)) < 0.75  # the mean motion alone has about 1
    config = GestureFeaturesConfig(features=8, width=32)
    loop = FEATURES_LOOP.derive(steps=3)
    again = [train_gesture_features(motions[:4], config=config, loop=loop, seed=5) for _ in range(2)]
    for one, other in zip(again[0].state_dict().values(), again[1].state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_feature_training_that_was_stopped_goes_on_and_ends_in_the_same_bits(motions, tmp_path: Path) -> None:
    import torch

    config = GestureFeaturesConfig(features=8, width=32)
    loop = FEATURES_LOOP.derive(steps=5)

    def trainer(out: str, *, used: int = 4, seed: int = 5):
        windows = feature_windows(motions[:used], config)
        return feature_trainer(windows, config, loop, out=tmp_path / out, seed=seed)

    whole = trainer("whole").run().state_dict()
    trainer("stopped").run(until=2)
    resumed = trainer("stopped").run().state_dict()
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())
    for named, change in (("seed", {"seed": 6}), ("windows", {"used": 3})):
        with pytest.raises(CheckpointError, match=f"started with another {named}; resume with the same"):
            trainer("stopped", **change).run()


def test_features_have_the_deviation_one_on_the_motions_they_learned_from(motions, features) -> None:
    found = motion_features(features, motions)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-2)


def test_other_true_motion_is_nearer_than_frozen_or_trembling_motion(motions, features) -> None:
    others = [true_parameters(seed).vectors_FD for seed in range(50, 66)]
    frozen = [np.repeat(vectors[:1], len(vectors), axis=0) for vectors in others]
    trembling = [np.random.default_rng(0).permutation(vectors) for vectors in others]

    def distance(generated: list[np.ndarray]) -> float:
        return frechet_gesture_distance(features, generated=generated, true=motions)

    assert distance(motions) < 1e-6
    assert distance(others) < 0.5 * min(distance(frozen), distance(trembling))


def test_one_far_outlier_among_true_motions_raises_fgd(motions, features) -> None:
    away = motions[0].copy()
    away.reshape(-1, 2, 67)[..., 64:] += 3.0
    one = frechet_gesture_distance(features, generated=[away, *motions[1:]], true=motions)
    none = frechet_gesture_distance(features, generated=motions[1:], true=motions)
    assert one > 10 * none


def test_too_little_motion_is_refused(motions, features) -> None:
    with pytest.raises(ConfigError, match="got 1 vectors in its first set"):
        frechet_gesture_distance(features, generated=[motions[0][:32]], true=motions)
    with pytest.raises(ConfigError, match="give 1 windows of 32 frames"):
        train_gesture_features([motions[0][:32]])
    with pytest.raises(ConfigError, match=r"shape \(9, 133\)"):
        motion_features(features, [np.zeros((9, 133))])


def test_a_saved_network_gives_the_same_features(motions, features, tmp_path: Path) -> None:
    path = tmp_path / "features.safetensors"
    save_gesture_features(features, path)
    again = load_gesture_features(path)
    assert again.config == features.config
    np.testing.assert_array_equal(motion_features(again, motions[:2]), motion_features(features, motions[:2]))


def test_files_that_hold_no_features_are_refused(features, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "features.safetensors"
    with pytest.raises(CheckpointError, match="There is no gesture feature network"):
        load_gesture_features(path)
    save_file({"x": np.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="holds no gesture feature network"):
        load_gesture_features(path)
    save_gesture_features(features, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_gesture_features(path)


# What the measures share


def test_the_amplitude_is_the_deviation_of_each_wrist() -> None:
    joints = np.zeros((40, *HANDS))
    joints[::2, 0] = (-0.3, -0.4, 0.0)
    joints[1::2, 0] = (0.3, 0.4, 0.0)
    np.testing.assert_allclose(amplitude(joints), [0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(amplitude(3 * joints + 7), [1.5, 0.0], atol=1e-12)


def test_joints_in_the_picture_are_in_heights_and_missing_hands_are_not_there() -> None:
    parameters = true_parameters(3, frames=6)
    valid = np.ones((6, 2), dtype=bool)
    valid[2, 1] = False
    parameters = HandParameters(parameters.vectors_FD, valid, fps=FPS, source="puppet")
    joints, vectors = picture_joints(parameters, height=128, width=96), known_vectors(parameters)
    wrists = parameters.translations() * (96 / 128, 1.0, 1.0)
    np.testing.assert_allclose(joints[0, :, 0], wrists[0], atol=1e-6)
    assert hand_length(joints) == pytest.approx(28 / 128, rel=0.02)
    assert np.isnan(joints[2, 1]).all() and np.isfinite(joints[2, 0]).all()
    assert np.isnan(vectors[2, 67:]).all() and np.isfinite(vectors[2, :67]).all()


# The report

VOICES = [np.array(times) for times in ([0.5, 1.3, 2.7, 3.1], [0.9, 1.5, 2.1, 3.46], [0.3, 1.9, 2.5, 2.9])]
VECTORS = np.zeros((100, 134))


def take(times: Sequence[float], *, seed: int, size: float = 1.0) -> Motion:
    """A hand that rests at these times, elsewhere for every seed."""
    place = np.random.default_rng(seed).uniform(-1, 1, 3)
    return Motion(VECTORS, size * (resting_at(times) + place))


def all_takes(*seeds: int, times: Sequence[np.ndarray] = VOICES, size: float = 1.0) -> list[list[Motion]]:
    return [[take(list(own), seed=seed, size=size) for seed in seeds] for own in times]


@pytest.fixture(scope="module")
def truth() -> GestureTruth:
    return GestureTruth(takes=all_takes(1, 2, 3), onsets=VOICES, fps=FPS)


def test_motion_that_rests_on_its_own_onsets_passes_and_other_voices_motion_does_not(truth) -> None:
    good = {seed: all_takes(seed, seed + 50, seed + 90) for seed in (10, 11, 12)}
    rows = {row.name: row for row in gesture_rows(good, truth=truth)}
    assert rows["ba"].value == pytest.approx(1.0)
    assert rows["ba"].spread == pytest.approx(0.0, abs=1e-9)
    assert rows["ba_above_chance"].value == pytest.approx(1.0)
    assert rows["ba_over_time_shifted"].passed and rows["ba_over_other_sound"].passed
    swapped = {seed: all_takes(seed, seed + 50, times=VOICES[1:] + VOICES[:1]) for seed in (10, 11, 12)}
    rows = {row.name: row for row in gesture_rows(swapped, truth=truth)}
    assert rows["ba"].value < 0.6
    assert rows["ba_over_other_sound"].passed is False


def test_a_margin_within_the_spread_over_seeds_does_not_pass(truth) -> None:
    swapped = VOICES[1:] + VOICES[:1]
    mixed = {10: all_takes(10), 11: all_takes(11, times=swapped), 12: all_takes(12, times=swapped)}
    rows = {row.name: row for row in gesture_rows(mixed, truth=truth)}
    assert rows["ba"].spread > 0.4
    assert rows["ba_over_time_shifted"].passed is False
    assert rows["div"].value is None  # one take for each voice


def test_diversity_must_be_within_thirty_percent_of_the_truth(truth) -> None:
    same = {seed: all_takes(1, 2, 3) for seed in range(3)}
    rows = {row.name: row for row in gesture_rows(same, truth=truth)}
    assert rows["div_ratio"].value == pytest.approx(1.0)
    assert rows["div_ratio"].passed
    large = {seed: all_takes(1, 2, 3, size=1.5) for seed in range(3)}
    rows = {row.name: row for row in gesture_rows(large, truth=truth)}
    assert rows["div_ratio"].value == pytest.approx(1.5)
    assert rows["div_ratio"].passed is False
    assert rows["pck"].value < 1.0
    assert rows["fgd"].value is None


def test_the_report_is_a_table_for_people_and_json_for_programs(truth) -> None:
    rows = gesture_rows({seed: all_takes(seed, seed + 9) for seed in range(3)}, truth=truth)
    section = GestureSection(title="Hands", rows=with_compared(rows, rows[1:]), compared="arms")
    report = GestureReport(title="Gestures", machine="here", settings={"seeds": 3}, sections=[section])
    (read,) = json.loads(report.to_json())["sections"]
    assert {row["name"]: row["value"] for row in read["rows"]}["fgd"] is None
    assert [row["compared"] for row in read["rows"]] == [None, *(row.value for row in rows[1:])]
    lines = report.to_text().splitlines()
    assert lines[4] == "Hands"
    assert "spread" in lines[5] and "true motion" in lines[5] and "arms" in lines[5]
    alone = replace(report, sections=[GestureSection(title="Hands", rows=rows)])
    assert "arms" not in alone.to_text()
    assert lines[-1] == f"{3 - len(report.missed)} of 3 targets reached"


def test_with_features_the_report_has_fgd_and_that_of_true_motion(features) -> None:
    takes = [[true_motion(10 * voice + number) for number in range(3)] for voice in range(3)]
    truth = GestureTruth(takes=takes, onsets=[onsets * 1.5 for onsets in VOICES], fps=FPS, features=features)
    rows = {row.name: row for row in gesture_rows(dict.fromkeys(range(3), takes), truth=truth)}
    assert rows["fgd"].value == pytest.approx(0.0, abs=1e-6)
    assert rows["fgd"].truth > 0.01
    other_rate = GestureTruth(takes=takes, onsets=VOICES, fps=30.0, features=features)
    with pytest.raises(ConfigError, match="train features at that rate"):
        gesture_rows(dict.fromkeys(range(3), takes), truth=other_rate)


def test_two_seeds_or_other_voices_are_refused(truth) -> None:
    with pytest.raises(ConfigError, match="2 seeds were measured, but a spread needs at least 3"):
        gesture_rows({0: all_takes(1), 1: all_takes(2)}, truth=truth)
    with pytest.raises(ConfigError, match=r"\[2, 3\] voices"):
        gesture_rows({seed: all_takes(1)[:2] for seed in range(3)}, truth=truth)


def test_amplitude_must_rise_with_its_setting_in_the_mean_over_seeds() -> None:
    settings = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
    rising = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 5, 4], [1, 3, 4, 7, 9]], dtype=float)
    row = amplitude_row(settings, rising)
    assert row.value == pytest.approx((1.0 + 0.9 + 1.0) / 3)
    assert row.spread == pytest.approx(0.1)
    assert row.passed
    assert amplitude_row(settings, rising[:, ::-1]).passed is False
