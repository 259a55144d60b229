import numpy as np
import torch

from cyberhost_core.controls.heatmaps import hand_heatmaps
from cyberhost_core.types import Pose


def blank(frames: int = 1) -> Pose:
    return Pose.from_packed(np.zeros((frames, 128, 3), dtype=np.float32), height=64, width=48)


def test_heatmaps_equal_a_loop_over_joints_and_cells() -> None:
    pose = blank(2)
    rng = np.random.default_rng(1)
    for hand in (pose.left_hand_FKC, pose.right_hand_FKC):
        hand[..., :2] = rng.uniform(0, 48, hand[..., :2].shape)
        hand[..., 2] = rng.uniform(0, 1, hand.shape[:2])
    expected = np.zeros((2, 21, 8, 6))
    for frame in range(2):
        for joint in range(21):
            for hand in (pose.left_hand_FKC, pose.right_hand_FKC):
                x, y, score = hand[frame, joint]
                for row in range(8 if score >= 0.3 else 0):
                    for column in range(6):
                        squared = (column + 0.5 - x / 8) ** 2 + (row + 0.5 - y / 8) ** 2
                        value = np.exp(-squared / (2 * 1.5**2))
                        expected[frame, joint, row, column] = max(expected[frame, joint, row, column], value)
    result = hand_heatmaps(pose, height=8, width=6, sigma_cells=1.5)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)


def test_a_keypoint_at_the_centre_of_a_cell_peaks_at_one() -> None:
    pose = blank()
    pose.left_hand_FKC[0, 4] = (20, 28, 1)
    heat = hand_heatmaps(pose, height=8, width=6)
    assert heat[0, 4, 3, 2] == 1
    assert heat[0, 5].max() == 0


def test_unseen_points_leave_nothing_even_when_they_are_not_numbers() -> None:
    pose = blank()
    pose.left_hand_FKC[0, :, :2] = np.nan
    assert torch.equal(hand_heatmaps(pose, height=8, width=6), torch.zeros(1, 21, 8, 6))
