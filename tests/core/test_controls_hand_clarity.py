import numpy as np
import pytest
import torch

from cyberhost_core.controls.hand_clarity import (
    absolute_clarities,
    clarity_scores,
    hand_clarity,
    laplacian_deviation,
)
from cyberhost_core.types import Pose

RNG = np.random.default_rng(5)


def clip(frames: int, *, left_seen: list[bool]) -> tuple[np.ndarray, Pose]:
    """Noise whose contrast grows from frame to frame; the left hand as told, the right hand always seen."""
    contrast = np.linspace(0.1, 1, frames)[:, None, None, None]
    images = (128 + contrast * RNG.uniform(-120, 120, (frames, 64, 48, 3))).astype(np.uint8)
    pose = Pose.from_packed(np.zeros((frames, 128, 3), dtype=np.float32), height=64, width=48)
    for hand, low in ((pose.left_hand_FKC, (4, 6)), (pose.right_hand_FKC, (24, 30))):
        hand[..., :2] = RNG.uniform(low, np.array(low) + 16, hand[..., :2].shape)
        hand[..., 2] = 1
    pose.left_hand_FKC[~np.array(left_seen)] = 0
    return images, pose


@pytest.mark.parametrize("size", [(128, 128), (37, 61)])
def test_the_deviation_equals_opencvs(size: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2")
    image = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
    grey = (image @ np.array([0.299, 0.587, 0.114])).astype(np.float32)
    expected = cv2.Laplacian(grey, cv2.CV_32F, ksize=3).std()
    crop = torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1
    assert laplacian_deviation(crop) == pytest.approx(float(expected), rel=1e-4)


def test_blur_lowers_the_score() -> None:
    sharp = torch.from_numpy(RNG.uniform(-1, 1, (3, 64, 64)).astype(np.float32))
    blurred = torch.nn.functional.avg_pool2d(sharp, 3, stride=1, padding=1)
    assert laplacian_deviation(blurred) < 0.5 * laplacian_deviation(sharp)


def test_an_unseen_hand_takes_the_pivot_of_its_clip() -> None:
    images, pose = clip(6, left_seen=[True, False, True, True, False, True])
    scores = hand_clarity(images, pose)
    seen = scores[[0, 2, 3, 5], 0].numpy()
    np.testing.assert_allclose(scores[[1, 4], 0], np.percentile(seen, 90), rtol=1e-5)
    np.testing.assert_allclose(scores[[1, 4], 2], 1)


def test_a_hand_that_a_clip_never_shows_is_neutral() -> None:
    images, pose = clip(3, left_seen=[False] * 3)
    scores = hand_clarity(images, pose, neutral_absolute=7)
    assert scores[:, 0].tolist() == [7, 7, 7]
    assert scores[:, 2].tolist() == [1, 1, 1]
    assert scores[:, 1].min() > 0


def test_a_video_that_is_measured_in_pieces_has_the_scores_of_the_whole() -> None:
    images, pose = clip(7, left_seen=[True, False, True, True, False, True, True])
    pieces = [absolute_clarities(images[part], pose[part]) for part in (slice(0, 3), slice(3, 7))]
    assert torch.equal(clarity_scores(np.concatenate(pieces)), hand_clarity(images, pose))


def test_a_flat_picture_scores_zero_and_does_not_divide_by_it() -> None:
    images, pose = clip(3, left_seen=[True] * 3)
    scores = hand_clarity(np.full_like(images, 90), pose)
    np.testing.assert_allclose(scores[:, :2], 0, atol=1e-3)
    assert torch.isfinite(scores).all()
