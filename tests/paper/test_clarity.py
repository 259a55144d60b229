"""Hand clarity score: algorithm 1 of CyberHost (appendix D), written as loops."""

import numpy as np

from cyberhost_core.controls.hand_clarity import hand_clarity
from cyberhost_core.types import Pose

KERNEL = ((2, 0, 2), (0, -8, 0), (2, 0, 2))
RNG = np.random.default_rng(11)


def mirrored(index: int, length: int) -> int:
    return -index if index < 0 else 2 * (length - 1) - index if index >= length else index


def resized(grey: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Linear interpolation of a box to 128 x 128, pixel by pixel."""
    x0, y0, x1, y1 = box
    result = np.zeros((128, 128))
    for row in range(128):
        for column in range(128):
            y = y0 + (row + 0.5) * (y1 - y0) / 128 - 0.5
            x = x0 + (column + 0.5) * (x1 - x0) / 128 - 0.5
            top, left = int(np.floor(y)), int(np.floor(x))
            down, right = y - top, x - left
            upper = grey[top, left] * (1 - right) + grey[top, left + 1] * right
            lower = grey[top + 1, left] * (1 - right) + grey[top + 1, left + 1] * right
            result[row, column] = upper * (1 - down) + lower * down
    return result


def laplacian_std(grey: np.ndarray) -> float:
    values = []
    for row in range(128):
        for column in range(128):
            total = 0.0
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    weight = KERNEL[dy + 1][dx + 1]
                    if weight:
                        total += weight * grey[mirrored(row + dy, 128), mirrored(column + dx, 128)]
            values.append(total)
    return float(np.sqrt(np.mean((np.array(values) - np.mean(values)) ** 2)))


def percentile_90(values: list[float]) -> float:
    ordered = sorted(values)
    place = 0.9 * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def test_hand_clarity_equals_algorithm_1() -> None:
    frames = 3
    images = RNG.integers(0, 256, (frames, 48, 64, 3), dtype=np.uint8)
    pose = Pose.from_packed(np.zeros((frames, 128, 3), dtype=np.float32), height=48, width=64)
    boxes = {"left": (35, 8, 55, 32), "right": (6, 10, 26, 40)}
    for hand, (x0, y0, x1, y1) in zip((pose.left_hand_FKC, pose.right_hand_FKC), boxes.values(), strict=True):
        hand[..., :2] = RNG.uniform((x0, y0), (x1, y1), hand[..., :2].shape)
        hand[:, 0, :2], hand[:, 1, :2] = (x0, y0), (x1, y1)
        hand[..., 2] = 1

    absolute = {}
    for name, box in boxes.items():
        grey = [image @ np.array([0.299, 0.587, 0.114]) for image in images.astype(float)]
        absolute[name] = [laplacian_std(resized(frame, box)) for frame in grey]
    relative = {
        name: [value / percentile_90(values) for value in values] for name, values in absolute.items()
    }

    scores = hand_clarity(images, pose).numpy()
    expected = np.array([absolute["left"], absolute["right"], relative["left"], relative["right"]]).T
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_relative_scores_pass_1_only_in_the_clearest_tenth_of_the_clip() -> None:
    """Figure 13 shows a relative score of 1.08: the pivot is a percentile, not the maximum."""
    frames = 21
    images = (
        128 + np.linspace(0.2, 1, frames)[:, None, None, None] * RNG.uniform(-99, 99, (1, 40, 40, 3))
    ).astype(np.uint8)
    pose = Pose.from_packed(np.zeros((frames, 128, 3), dtype=np.float32), height=40, width=40)
    pose.left_hand_FKC[:] = (*[5, 5], 1)
    pose.left_hand_FKC[:, 1, :2] = 35
    relative = hand_clarity(images, pose)[:, 2]
    assert int((relative > 1).sum()) == 2
