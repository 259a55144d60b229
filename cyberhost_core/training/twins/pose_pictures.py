"""What the pose twin is shown: puppets framed and damaged in every way, and the points to be seen.

    still -> hands erased, something in front, nobody -> degraded -> framed, mean/std -> [N, 3, 384, 288]
    points -> those erased are unseen --------------------> framed, outside is unseen -> [N, 133, 3]

The damage is what a detector meets in generated frames: hands that melted must be reported as missing.
"""

import numpy as np
import torch
from torch import Tensor

from ...perception.pose import INPUT_HEIGHT, INPUT_WIDTH, MEAN_RGB, STD_RGB, image_from_crop
from ...perception.warp import inverse, warp
from ...perception.wholebody import wholebody_from_pose
from .pose_damage import degraded, erase_hands, erase_patch, picture_of_nobody
from .puppet_stills import Stills

NOBODY, ERASED_PATCH = 0.08, 0.15  # shares of the pictures
FRAMINGS = (
    1.0,
    1.25,
)  # box paddings that callers use; half of the pictures are framed so, the rest at random


def draw_pictures(stills: Stills, *, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Draw pictures and their points.

    Shapes:   pictures (count, 3, 384, 288) normalised; points (count, 133, 3) x, y, 1 where seen
    Units:    px of the network's input
    """
    rows = rng.integers(len(stills), size=count)
    frames_NYXC = stills.frames_NYXC[rows].copy()
    points_NKC = wholebody_from_pose(stills.poses(rows))
    for frame_YXC, points_KC in zip(frames_NYXC, points_NKC, strict=True):
        _damage(frame_YXC, points_KC, rng=rng)
    frames_NYXC = degraded(frames_NYXC, rng=rng)
    places_N23 = np.stack([random_framing(frames_NYXC.shape[1:3], rng=rng) for _ in range(count)])
    pictures = warp(frames_NYXC, places_N23, height=INPUT_HEIGHT, width=INPUT_WIDTH).numpy()
    normal = (pictures - MEAN_RGB[:, None, None]) / STD_RGB[:, None, None]
    framed = np.stack(
        [framed_points(points, place) for points, place in zip(points_NKC, places_N23, strict=True)]
    )
    return torch.from_numpy(normal), torch.from_numpy(framed)


def random_framing(size: tuple[int, int], *, rng: np.random.Generator) -> np.ndarray:
    """Map the network's input to the picture, (2, 3): as callers frame, or anyhow, off-centre and tilted."""
    whole_14 = np.array([[0, 0, size[1], size[0]]], dtype=np.float64)
    if rng.random() < 0.5:
        return image_from_crop(whole_14, padding=float(rng.choice(FRAMINGS)))[0]
    place_23 = image_from_crop(whole_14, padding=float(np.exp(rng.uniform(-0.35, 0.45))))[0]
    angle = rng.normal(0.0, 0.08)
    turn_22 = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([INPUT_WIDTH, INPUT_HEIGHT]) / 2
    middle = place_23 @ np.append(centre, 1.0) + rng.uniform(-0.18, 0.18, size=2) * size[::-1]
    linear_22 = place_23[:, :2] @ turn_22
    return np.concatenate([linear_22, (middle - linear_22 @ centre)[:, None]], axis=1)


def framed_points(points_KC: np.ndarray, image_from_input_23: np.ndarray) -> np.ndarray:
    """Move points into the network's input; what falls outside is unseen, (K, 3) float32."""
    moved = inverse(image_from_input_23) @ np.column_stack([points_KC[:, :2], np.ones(len(points_KC))]).T
    inside = ((moved.T >= 0) & (moved.T < (INPUT_WIDTH, INPUT_HEIGHT))).all(axis=1)
    seen = inside & (points_KC[:, 2] > 0)
    return np.column_stack([moved.T, seen]).astype(np.float32)


def _damage(frame_YXC: np.ndarray, points_KC: np.ndarray, *, rng: np.random.Generator) -> None:
    """Change a picture and its points in place."""
    if rng.random() < NOBODY:
        frame_YXC[:] = picture_of_nobody(frame_YXC, rng=rng)
        points_KC[:, 2] = 0
        return
    erase_hands(frame_YXC, points_KC, rng=rng)
    if rng.random() < ERASED_PATCH:
        erase_patch(frame_YXC, points_KC, rng=rng)
