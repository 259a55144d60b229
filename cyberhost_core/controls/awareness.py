"""Where a loss should look: around hands and face, and the body's rectangle, by keypoint confidence.

    hands and face: discs around sure points -> sum of confidences -> smoothed, times omega_1
    body:           rectangle around sure points                   -> omega_2
    elsewhere                                                      -> 1
    the three, in px -> mean of every latent cell

Source: PAHA section 4.1.2, equations 2 and 3
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as nnf

from ..config import Config, Positive, Share
from ..types import Pose
from .drawing import Strokes, add_up, fill_boxes

_PICTURE_PX = 512  # side of the paper's pictures, in whose pixels the radius is given
_REACH = 3  # of the smoothing, in deviations


class Awareness(Config):
    """The paper's numbers (section 5.1); smoothing, which it does not give, is ours.

    Units:    radius_px, smoothing_px: of a picture 512 px high, and in proportion in others; threshold: of a
              keypoint's confidence
    """

    threshold: Share = 0.8
    radius_px: Positive = 10.0
    smoothing_px: Positive = 5.0
    small_weight: Positive = 10.0  # omega_1: hands and face
    body_weight: Positive = 2.0  # omega_2


def awareness_weights(pose: Pose, awareness: Awareness, *, height: int, width: int) -> Tensor:
    """Weigh every cell of the latents (equation 3).

    Shapes:   result (F, height, width) float32
    Reads:    T smooths the sum of confidences of all discs that a pixel is in, so that it weighs more where
              they overlap, such as at the lips; a pixel in a disc and in the body's rectangle is the disc's;
              "above the threshold" leaves out what equals it
    """
    scale = pose.height / _PICTURE_PX
    small_FKC = np.concatenate([pose.left_hand_FKC, pose.right_hand_FKC, pose.face_FKC], axis=1)
    summed_FYX = _summed_discs(small_FKC, pose, radius_px=awareness.radius_px * scale, awareness=awareness)
    body_FYX = fill_boxes(_rectangles(pose.body_FKC, awareness), height=pose.height, width=pose.width)
    summed = torch.from_numpy(summed_FYX)
    smooth = _smoothed(summed, sigma_px=awareness.smoothing_px * scale)
    elsewhere = 1 + (awareness.body_weight - 1) * torch.from_numpy(body_FYX)
    weight = torch.where(summed > 0, smooth * awareness.small_weight, elsewhere)
    return nnf.adaptive_avg_pool2d(weight[:, None], (height, width))[:, 0]


def _sure(points_FKC: np.ndarray, awareness: Awareness) -> np.ndarray:
    return (points_FKC[..., 2] > awareness.threshold) & np.isfinite(points_FKC).all(-1)


def _summed_discs(
    points_FKC: np.ndarray, pose: Pose, *, radius_px: float, awareness: Awareness
) -> np.ndarray:
    frame_N, point_N = np.nonzero(_sure(points_FKC, awareness))
    centre_N2, count = points_FKC[frame_N, point_N, :2], len(frame_N)
    discs = Strokes(frame_N, centre_N2, centre_N2, np.full(count, radius_px), np.zeros((count, 3)))
    summed_FYX = np.zeros((len(pose), pose.height, pose.width), dtype=np.float32)
    add_up(summed_FYX, discs, points_FKC[frame_N, point_N, 2])
    return summed_FYX


def _rectangles(points_FKC: np.ndarray, awareness: Awareness) -> np.ndarray:
    """The smallest box around the sure points of each frame; NaN where there is none."""
    sure_FK1 = _sure(points_FKC, awareness)[..., None]
    low = np.where(sure_FK1, points_FKC[..., :2], np.inf).min(axis=1)
    high = np.where(sure_FK1, points_FKC[..., :2], -np.inf).max(axis=1)
    boxes = np.concatenate([low, high], axis=1)
    return np.where(np.isfinite(boxes), boxes, np.nan)


def _smoothed(x_FYX: Tensor, *, sigma_px: float) -> Tensor:
    reach = int(np.ceil(_REACH * sigma_px))
    away = torch.arange(-reach, reach + 1, dtype=torch.float32)
    bell = torch.exp(-away.square() / (2 * sigma_px**2))
    bell = bell / bell.sum()
    x = nnf.conv2d(x_FYX[:, None], bell.view(1, 1, 1, -1), padding=(0, reach))
    return nnf.conv2d(x, bell.view(1, 1, -1, 1), padding=(reach, 0))[:, 0]
