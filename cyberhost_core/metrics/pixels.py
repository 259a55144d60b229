"""Pixel likeness of two pictures: PSNR and SSIM.

Generated frames move freely, so that no true frame exists to compare them with; the bench compares each with
the reference picture. A still background flatters both numbers: use them to compare models, not to judge one.
"""

import numpy as np

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

    Shapes:   frames_FYXC (F, Y, X, 3) uint8, sides of 11 px or more; reference_YXC (Y, X, 3) uint8; result
              (F,)
    Units:    -1..1; 1: equal
    Source:   Wang et al. 2004, equation 13: Gaussian window 11 x 11, sigma 1.5, K1 = 0.01, K2 = 0.03
    Reads:    the mean over the three colour channels and over windows wholly inside the picture
    """
    x = frames_FYXC.transpose(0, 3, 1, 2).astype(np.float64)
    y = reference_YXC.transpose(2, 0, 1)[None].astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return (light * structure).mean(axis=(1, 2, 3))


def _blurred(x_NCYX: np.ndarray) -> np.ndarray:
    """Weigh with the Gaussian window wherever it fits."""
    rows, columns = x_NCYX.shape[-2:]
    return _windows(rows) @ x_NCYX @ _windows(columns).T


def _windows(length: int) -> np.ndarray:
    """Write the window's every place along one axis as the rows of a matrix (length - 10, length)."""
    distance = np.arange(length) - np.arange(RADIUS_PX, length - RADIUS_PX)[:, None]
    weights = np.exp(-0.5 * (distance / SIGMA_PX) ** 2) * (np.abs(distance) <= RADIUS_PX)
    return weights / weights.sum(axis=1, keepdims=True)
