"""Parts-Aware Re-weighting's map, against a loop over pixels written from PAHA's equations 2 and 3."""

import numpy as np
import pytest
import torch

from cyberhost_core.controls.awareness import Awareness, awareness_weights
from cyberhost_core.types import Pose

HEIGHT, WIDTH = 64, 48
NUMBERS = Awareness(radius_px=40.0, smoothing_px=12.0)  # of a picture 512 px high: 5 and 1.5 px here


def blank() -> Pose:
    return Pose.from_packed(np.zeros((1, 128, 3), dtype=np.float32), height=HEIGHT, width=WIDTH)


def random_pose() -> Pose:
    rng, pose = np.random.default_rng(4), blank()
    for points in (pose.body_FKC, pose.left_hand_FKC, pose.face_FKC):
        points[..., 0] = rng.uniform(10, 38, points.shape[:2])
        points[..., 1] = rng.uniform(10, 54, points.shape[:2])
        points[..., 2] = rng.uniform(0.5, 1, points.shape[:2])
    return pose


def cell_means(x_YX: np.ndarray) -> np.ndarray:
    return x_YX.reshape(8, HEIGHT // 8, 6, WIDTH // 6).mean(axis=(1, 3))


def by_equations(pose: Pose) -> np.ndarray:
    """M(x) of every pixel; discs and the rectangle without anti-aliasing."""
    small = [*pose.left_hand_FKC[0], *pose.right_hand_FKC[0], *pose.face_FKC[0]]
    body = [point for point in pose.body_FKC[0] if point[2] > 0.8]
    summed = np.zeros((HEIGHT, WIDTH))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            for px, py, confidence in small:
                if confidence > 0.8 and np.hypot(x + 0.5 - px, y + 0.5 - py) <= 5:
                    summed[y, x] += confidence
    smooth = np.zeros_like(summed)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            total = 0.0
            for dy in range(-5, 6):
                for dx in range(-5, 6):
                    bell = np.exp(-(dx**2 + dy**2) / (2 * 1.5**2))
                    total += bell
                    if 0 <= y + dy < HEIGHT and 0 <= x + dx < WIDTH:
                        smooth[y, x] += bell * summed[y + dy, x + dx]
            smooth[y, x] /= total
    weight = np.ones_like(summed)
    xs, ys = [point[0] for point in body], [point[1] for point in body]
    for y in range(HEIGHT):
        for x in range(WIDTH):
            if summed[y, x] > 0:
                weight[y, x] = smooth[y, x] * 10
            elif min(xs) <= x + 0.5 <= max(xs) and min(ys) <= y + 0.5 <= max(ys):
                weight[y, x] = 2
    return cell_means(weight)


def test_weights_equal_a_loop_over_pixels() -> None:
    pose = random_pose()
    found = awareness_weights(pose, NUMBERS, height=8, width=6)[0].numpy()
    expected = by_equations(pose)
    assert expected.max() > 20, "the face's discs overlap"
    np.testing.assert_allclose(found, expected, atol=0.06 * expected.max())  # edges are softer here
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.995


def test_one_sure_point_is_a_disc_of_the_radius_and_the_rest_weighs_one() -> None:
    pose = blank()
    pose.left_hand_FKC[0, 3] = (24, 32, 0.9)
    found = awareness_weights(pose, NUMBERS, height=HEIGHT, width=WIDTH)[0].numpy()
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    away = np.hypot(x - 24, y - 32)
    assert np.all(found[away > 6] == 1)
    assert found[32, 24] == pytest.approx(9, abs=0.1), "omega_1 times the confidence, in the middle"


@pytest.mark.parametrize("confidence", [0.3, 0.8])
def test_points_that_are_not_sure_or_no_numbers_weigh_nothing(confidence: float) -> None:
    pose = blank()
    for points in (pose.body_FKC, pose.face_FKC):
        points[0, :5] = (24, 32, confidence)
    pose.right_hand_FKC[0] = np.nan
    assert torch.equal(awareness_weights(pose, NUMBERS, height=8, width=6), torch.ones(1, 8, 6))


def test_surer_keypoints_weigh_more() -> None:
    """What the re-weighting is for: clear parts teach more than blurred ones."""
    weights = []
    for confidence in (0.81, 0.99):
        pose = blank()
        pose.face_FKC[0, :, :2] = np.random.default_rng(0).uniform(20, 30, (68, 2))
        pose.face_FKC[0, :, 2] = confidence
        weights.append(awareness_weights(pose, NUMBERS, height=8, width=6))
    assert weights[1].max() == pytest.approx(float(weights[0].max()) * 0.99 / 0.81, rel=1e-3)


def test_the_radius_grows_with_the_picture_so_that_the_same_part_of_it_weighs() -> None:
    small, large = random_pose(), random_pose().scaled(height=4 * HEIGHT, width=4 * WIDTH)
    found = [awareness_weights(pose, NUMBERS, height=8, width=6) for pose in (small, large)]
    torch.testing.assert_close(found[0], found[1], atol=2.5, rtol=0.1)
