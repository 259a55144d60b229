"""Heatmaps of the whole pose: what the pose discriminator tells from latents (EMO2 section 3.4).

body points 18 | per hand wrist, knuckles, tips 2 x 11 | limbs 17 | per hand all bones 2 x 1  = 59 channels
"""

import numpy as np
import torch
from torch import Tensor

from ..types import BODY_POINTS, SEEN, Pose
from .heatmaps import SIGMA_CELLS
from .skeleton_map import BODY_LIMBS, HAND_BONES

HAND_MAIN = (0, 2, 5, 9, 13, 17, 4, 8, 12, 16, 20)  # wrist, knuckles, tips
POINT_CHANNELS = BODY_POINTS + 2 * len(HAND_MAIN)
POSE_CHANNELS = POINT_CHANNELS + len(BODY_LIMBS) + 2
_SHORTEST = 1e-6  # cells squared: a limb seen end on is a point


def pose_heatmaps(pose: Pose, *, height: int, width: int, sigma_cells: float = SIGMA_CELLS) -> Tensor:
    """Put a soft dot of height 1 on every seen point and a soft line along every limb between two of them.

    Shapes:   result (F, 59, height, width) float32: body points, points of the left and the right hand,
              limbs, bones of the left and the right hand
    Units:    0..1; height, width, sigma_cells in cells of the feature map
    Source:   EMO2 section 3.4 "Pose Discriminator": "body pose keypoints and limb heatmap"
    Reads:    the paper names neither points nor limbs nor widths: OpenPose's, a gaussian of one cell across.
              A hand is a few cells wide, so that its bones share a channel
    """
    cells = torch.tensor((width / pose.width, height / pose.height, 1.0))
    body_FKC, left_FKC, right_FKC = (
        torch.as_tensor(points, dtype=torch.float32).nan_to_num() * cells
        for points in (pose.body_FKC, pose.left_hand_FKC, pose.right_hand_FKC)
    )
    points_FKC = torch.cat([body_FKC, left_FKC[:, HAND_MAIN], right_FKC[:, HAND_MAIN]], dim=1)
    centres_YX2 = _centres(height, width)
    maps = [
        _lines(points_FKC, points_FKC, centres_YX2, sigma=sigma_cells),
        _limbs(body_FKC, BODY_LIMBS, centres_YX2, sigma=sigma_cells),
    ]
    for hand_FKC in (left_FKC, right_FKC):
        bones = _limbs(hand_FKC, HAND_BONES, centres_YX2, sigma=sigma_cells)
        maps.append(bones.amax(dim=1, keepdim=True))
    return torch.cat(maps, dim=1)


def _limbs(points_FKC: Tensor, pairs_E2: np.ndarray, centres_YX2: Tensor, *, sigma: float) -> Tensor:
    start, end = torch.as_tensor(pairs_E2.T)
    return _lines(points_FKC[:, start], points_FKC[:, end], centres_YX2, sigma=sigma)


def _lines(start_FKC: Tensor, end_FKC: Tensor, centres_YX2: Tensor, *, sigma: float) -> Tensor:
    """Values (F, K, Y, X) of a gaussian of the distance to each segment; nothing where an end is unseen."""
    start, way = start_FKC[..., None, None, :2], (end_FKC - start_FKC)[..., None, None, :2]
    off = centres_YX2 - start
    share = ((off * way).sum(dim=-1) / (way * way).sum(dim=-1).clamp(min=_SHORTEST)).clamp(0, 1)
    squared = (off - share[..., None] * way).square().sum(dim=-1)
    seen = (start_FKC[..., 2] >= SEEN) & (end_FKC[..., 2] >= SEEN)
    return torch.exp(-squared / (2 * sigma**2)) * seen[..., None, None]


def _centres(height: int, width: int) -> Tensor:
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y], dim=-1)
