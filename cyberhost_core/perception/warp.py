"""Affine warps of pictures, as the outside networks' own pipelines do them.

Here a pixel sits at its index, (0, 0) being the centre of the first: that is the convention of the pipelines
that the networks were trained with, and their numbers come out right only with it.
"""

import numpy as np
import torch
from torch.nn.functional import grid_sample


def warp(
    images_FYXC: np.ndarray,
    image_from_crop_F23: np.ndarray,
    *,
    height: int,
    width: int,
    beyond: str = "zeros",
) -> torch.Tensor:
    """Sample a crop of height x width out of every picture, bilinearly.

    beyond: what lies outside the picture: "zeros" (black), or "border" (its edge goes on)

    Shapes:   images_FYXC (F, Y, X, 3) uint8; image_from_crop_F23 (F, 2, 3); result (F, 3, height, width)
              float32
    Units:    0..255; the matrix maps pixel indices of the crop to pixel indices of the picture
    """
    rows, columns = images_FYXC.shape[1:3]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    homogeneous_SC = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(-1, 3).to(torch.float64)
    places_FSC = homogeneous_SC @ torch.from_numpy(image_from_crop_F23.astype(np.float64)).transpose(1, 2)

    # grid_sample's -1..1 runs from the centre of the first pixel to the centre of the last (align_corners)
    last = torch.tensor([max(columns - 1, 1), max(rows - 1, 1)], dtype=torch.float64)
    grid = (places_FSC / last * 2 - 1).reshape(-1, height, width, 2).to(torch.float32)
    images_FCYX = torch.from_numpy(np.ascontiguousarray(images_FYXC)).permute(0, 3, 1, 2).to(torch.float32)
    return grid_sample(images_FCYX, grid, mode="bilinear", padding_mode=beyond, align_corners=True)


def similarity(source_K2: np.ndarray, target_K2: np.ndarray) -> np.ndarray:
    """Find the rotation, scale and shift that bring points closest to others, in least squares.

    In the plane a similarity is w = a z + b over complex numbers, so the fit has a closed form.

    Shapes:   source_K2, target_K2 (K, 2); result (2, 3), target = result @ (x, y, 1)
    Source:   Umeyama 1991, eq. 40-42, in two dimensions without reflection
    """
    source, target = (points[:, 0] + 1j * points[:, 1] for points in (source_K2, target_K2))
    from_mean, to_mean = source - source.mean(), target - target.mean()
    turn = np.vdot(from_mean, to_mean) / max(np.vdot(from_mean, from_mean).real, 1e-12)
    shift = target.mean() - turn * source.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def inverse(matrix_23: np.ndarray) -> np.ndarray:
    """Invert an affine map, (2, 3) to (2, 3)."""
    return np.linalg.inv(np.vstack([matrix_23, [0.0, 0.0, 1.0]]))[:2]
