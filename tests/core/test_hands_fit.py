"""Parameters fitted to keypoints: how far they are off is bounded on puppets, whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cyberhost_core.errors import PoseError
from cyberhost_core.hands.drawing.hand_maps import draw_hand_maps
from cyberhost_core.hands.fit import fitted_parameters, with_parameters
from cyberhost_core.hands.joints import BENDS, matrices_of, posture
from cyberhost_core.hands.parameters import HandParameters
from cyberhost_core.hands.poses import hand_points, pose_from_parameters
from cyberhost_core.hands.rotations import rotation_matrices
from cyberhost_core.hands.track import HandTrack
from cyberhost_core.puppets.gesture import gesture
from cyberhost_core.puppets.performance import random_performance
from cyberhost_core.puppets.prosody import Prosody
from cyberhost_core.types import Pose

FRAMES = 60


def truth(seed: int = 101) -> HandParameters:
    onset_F = np.zeros(FRAMES)
    onset_F[11::11] = 1
    beats = Prosody(energy_F=np.ones(FRAMES), onset_F=onset_F)
    still = np.zeros((FRAMES, 2))
    motion = gesture(random_performance(seed), beats=beats, offset_F2=still, hand_size=1.0, fps=25)
    return motion.parameters(size_frac=28 / 128, fps=25, source="a puppet")


def seen(parameters: HandParameters, *, noise_px: float) -> Pose:
    """What a detector that is off by so much would see, in a picture in which a hand is 28 px long."""
    pose = pose_from_parameters(parameters, height=128, width=96)
    rng = np.random.default_rng(0)
    for hand_FKC in (pose.left_hand_FKC, pose.right_hand_FKC):
        hand_FKC[..., :2] += rng.normal(0, noise_px, hand_FKC[..., :2].shape)
    return pose


def errors(found: HandParameters, true: HandParameters) -> tuple[float, float, float]:
    """Mean distance of keypoints in the picture and in depth (px), median turn of the wrists (degrees)."""
    ours, theirs = (hand_points(hands, height=128, width=96) for hands in (found, true))
    depth = (ours - ours[:, :, :1])[..., 2] - (theirs - theirs[:, :, :1])[..., 2]
    wrists = [Rotation.from_matrix(hands.matrices()[:, :, 0].reshape(-1, 3, 3)) for hands in (found, true)]
    turn = np.rad2deg((wrists[0] * wrists[1].inv()).magnitude())
    return np.linalg.norm((ours - theirs)[..., :2], axis=-1).mean(), np.abs(depth).mean(), np.median(turn)


@pytest.mark.parametrize(
    ("noise_px", "most_px", "most_depth_px", "most_deg"), [(0.0, 0.2, 2.0, 5.0), (0.5, 0.55, 4.0, 14.0)]
)
def test_a_puppets_hands_are_found_back(noise_px, most_px, most_depth_px, most_deg):
    """The picture's error is below what the detector's own noise is on average (0.63 px for 0.5)."""
    true = truth()
    found = fitted_parameters(seen(true, noise_px=noise_px), fps=25, source="a video")
    off_px, off_depth_px, off_deg = errors(found, true)
    assert off_px < most_px and off_depth_px < most_depth_px and off_deg < most_deg
    np.testing.assert_allclose(found.sizes_frac_FH / (28 / 128), 1, atol=0.05)
    maps, wanted = (draw_hand_maps(hands, height=128, width=96).numpy()[:, :2] > 0 for hands in (found, true))
    assert (maps & wanted).sum() / (maps | wanted).sum() > 0.8


def test_a_noisy_detector_does_not_make_the_hands_tremble():
    """Fingers and wrists turn from frame to frame by a few degrees more than they do, not by tens."""
    true = truth()
    found = fitted_parameters(seen(true, noise_px=0.5), fps=25, source="a video")
    tremble = []
    for hands in (found, true):
        turns = hands.matrices()
        after, before = (Rotation.from_matrix(part.reshape(-1, 3, 3)) for part in (turns[1:], turns[:-1]))
        tremble.append(np.rad2deg((after * before.inv()).magnitude()).mean())
    assert tremble[0] < tremble[1] + 4


def test_end_joints_are_found_with_their_tendons():
    """The error of all finger joints: without the tendons it is half as large again."""
    true = truth()
    found = fitted_parameters(seen(true, noise_px=0.3), fps=25, source="a video")
    off = [Rotation.from_matrix(hands.matrices()[:, :, 1:].reshape(-1, 3, 3)) for hands in (found, true)]
    assert np.rad2deg((off[0] * off[1].inv()).magnitude()).mean() < 8


def test_misdetected_points_and_hidden_ones_do_not_carry_the_hand_away():
    true = truth()
    pose = seen(true, noise_px=0.3)
    rng = np.random.default_rng(1)
    for hand_FKC in (pose.left_hand_FKC, pose.right_hand_FKC):
        hand_FKC[np.arange(FRAMES), rng.integers(1, 21, FRAMES), :2] += 15.0
        hand_FKC[np.arange(FRAMES), rng.integers(1, 21, FRAMES)] = 0
    found = fitted_parameters(pose, fps=25, source="a video")
    assert errors(found, true)[0] < 0.8


def test_a_hand_that_is_not_seen_is_not_valid_and_none_at_all_is_said():
    true = truth()
    pose = seen(true, noise_px=0.0)
    pose.left_hand_FKC[10:20] = 0
    pose.right_hand_FKC[30, :14, 2] = 0
    found = fitted_parameters(pose, fps=25, source="a video")
    assert np.flatnonzero(~found.valid_FH[:, 0]).tolist() == list(range(10, 20))
    assert np.flatnonzero(~found.valid_FH[:, 1]).tolist() == [30]
    pose.left_hand_FKC[:] = pose.right_hand_FKC[:] = 0
    with pytest.raises(PoseError, match="10 points of a hand in none of its 60 frames"):
        fitted_parameters(pose, fps=25, source="a video")


def test_a_track_keeps_the_parameters_it_has_and_gets_those_it_lacks():
    true = truth()[:12]
    track = HandTrack(seen(true, noise_px=0.0), fps=25, source="a video", parameters=true)
    assert with_parameters(track) is track
    filled = with_parameters(replace(track, parameters=None))
    assert errors(filled.parameters, true)[0] < 0.2


def test_how_points_move_with_each_angle_is_the_difference_quotient():
    rng = np.random.default_rng(0)
    wrist = Rotation.random(3, random_state=0).as_matrix()
    angles = rng.normal(0, 0.5, (3, len(BENDS)))
    now = posture(wrist, angles)
    for angle in range(len(BENDS)):
        step = np.zeros(len(BENDS))
        step[angle] = 1e-6
        moved = (posture(wrist, angles + step).points_NK3 - now.points_NK3) / 1e-6
        np.testing.assert_allclose(now.by_angle_NKA3[:, :, angle], moved, atol=1e-5)
    for axis in range(3):
        turned = rotation_matrices(1e-6 * np.eye(3)[axis]) @ wrist
        moved = (posture(turned, angles).points_NK3 - now.points_NK3) / 1e-6
        np.testing.assert_allclose(now.by_wrist_NK33[:, :, axis], moved, atol=1e-5)
    np.testing.assert_allclose(matrices_of(wrist, angles)[:, 0], wrist)
