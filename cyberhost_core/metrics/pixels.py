"""Pixel likeness of two pictures: PSNR and SSIM.

Generated frames move freely, so that no true frame exists to compare them with; the bench compares each with
the reference picture. A still background flatters both numbers: use them to compare models, not to judge one.
"""

import numpy as np
import torch
from torch.nn.functional import conv2d

PEAK = 255.0
SIGMA_PX, RADIUS_PX = 1.5, 5  # an 11 x 11 window
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
_MOST_DB = 100.0  # equal pictures; infinity would swallow every mean


def psnr(frames_FYXC: np.ndarray, reference_YXC: np.ndarray) -> np.ndarray:
    """Measure the peak signal to noise ratio of every frame.

    Shapes:   frames_FYXC (F, Y, X, 3) uint8; reference_YXC (Y, X, 3) uint8; result (F,)
    Units:    dB, higher is more alike; at most 100
    Source:   CyberHost (ICLR 2025) section 4.1 lists it; 10 log10(255^2 / mean squared error)
    """
    difference = frames_FYXC.astype(np.float64) - reference_YXC
    error_F = np.square(difference).mean(axis=(1, 2, 3))
    floor = PEAK**2 / 10 ** (_MOST_DB / 10)
    return 10 * np.log10(PEAK**2 / np.maximum(error_F, floor))


def ssim(frames_FYXC: np.ndarray, reference_YXC: np.ndarray) -> np.ndarray:
    """Measure the structural similarity of every frame.

    Shapes:   frames_FYXC (F, Y, X, 3) uint8, sides of 11 px or more; reference_YXC (Y, X, 3) uint8; result (F,)
    Units:    -1..1; 1: equal
    Source:   Wang et al. 2004, equation 13: Gaussian window 11 x 11, sigma 1.5, K1 = 0.01, K2 = 0.03
    Reads:    the mean over the three colour channels and over windows wholly inside the picture
    """
    x = torch.from_numpy(np.ascontiguousarray(frames_FYXC)).permute(0, 3, 1, 2).double()
    y = torch.from_numpy(np.ascontiguousarray(reference_YXC)).permute(2, 0, 1)[None].double()
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return (light * structure).mean(dim=(1, 2, 3)).numpy()


def _blurred(x_NCYX: torch.Tensor) -> torch.Tensor:
    """Weigh with the Gaussian window wherever it fits."""
    offsets = torch.arange(-RADIUS_PX, RADIUS_PX + 1, dtype=torch.float64)
    window = torch.exp(-0.5 * (offsets / SIGMA_PX) ** 2)
    window = window / window.sum()
    planes = x_NCYX.flatten(0, 1)[:, None]
    planes = conv2d(conv2d(planes, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
    return planes[:, 0].unflatten(0, x_NCYX.shape[:2])
