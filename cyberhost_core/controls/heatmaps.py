"""Heatmaps of the hand keypoints: what the heads after each hand RAM learn (CyberHost section 3.2, eq. 6)."""

import torch

from ..types import SEEN, Pose

SIGMA_CELLS = 1.0


def hand_heatmaps(pose: Pose, *, height: int, width: int, sigma_cells: float = SIGMA_CELLS) -> torch.Tensor:
    """Put a gaussian of height 1 on every seen hand keypoint.

    Both hands share 21 channels, one per joint; where they meet, the larger value stays. Points that are not
    seen leave nothing.

    Shapes:   result (F, 21, height, width) float32
    Units:    0..1; height, width, sigma_cells in cells of the feature map
    Source:   CyberHost (ICLR 2025) section 3.2 "Local Enhancement Supervision", eq. 6, H
    Reads:    the paper gives neither width nor channels; sigma is one cell at every depth of the U-Net
    """
    hands = (pose.left_hand_FKC, pose.right_hand_FKC)
    points_HFKC = torch.stack([torch.as_tensor(hand, dtype=torch.float32) for hand in hands]).nan_to_num()
    x_cells = points_HFKC[..., 0] * (width / pose.width)
    y_cells = points_HFKC[..., 1] * (height / pose.height)
    seen = points_HFKC[..., 2] >= SEEN

    columns = _bell(x_cells, cells=width, sigma=sigma_cells)
    rows = _bell(y_cells, cells=height, sigma=sigma_cells) * seen[..., None]
    return (rows[..., :, None] * columns[..., None, :]).amax(dim=0)


def _bell(place: torch.Tensor, *, cells: int, sigma: float) -> torch.Tensor:
    """Values (..., cells) of a gaussian at the centres of the cells; a 2-D gaussian is the product of two."""
    centre = torch.arange(cells) + 0.5
    return torch.exp(-((centre - place[..., None]) ** 2) / (2 * sigma**2))
