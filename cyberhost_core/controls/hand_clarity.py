"""Hand clarity score: how sharp each hand is in each frame of a clip (CyberHost section 3.3, appendix D).

    frame, hand keypoints -> hand box -> 128 x 128 grey -> Laplacian -> standard deviation = absolute score
    absolute score / its 90th percentile over the clip                                     = relative score

Motion blur lowers the score. The model reads it in training; at inference high values ask for clear hands. A
long video is measured piece by piece (absolute_clarities), then scored as a whole (clarity_scores).
"""

import numpy as np
import torch
from torch.nn.functional import conv2d, pad

from ..types import Pose
from .regions import HAND_CROP_PX, crop_and_resize, enclosing_boxes

NEUTRAL_ABSOLUTE = 25.0  # for a hand that a clip never shows; figure 13's clear hands: 24.50, 31.45
NEUTRAL_RELATIVE = 1.0
PIVOT_PERCENTILE = 90

_LUMA = torch.tensor([0.299, 0.587, 0.114])  # grey from RGB, ITU-R BT.601, as OpenCV weighs it
# cv2.Laplacian's kernel with ksize = 3
_LAPLACIAN = torch.tensor([[2.0, 0.0, 2.0], [0.0, -8.0, 0.0], [2.0, 0.0, 2.0]])


def hand_clarity(
    images_FYXC: np.ndarray, pose: Pose, *, neutral_absolute: float = NEUTRAL_ABSOLUTE
) -> torch.Tensor:
    """Score how clear each hand is, frame by frame.

    A frame that does not show a hand gets the values of a clear one: its clip's pivot and 1, or
    `neutral_absolute` and 1 when no frame shows it. So the score speaks of clarity only, never of whether
    a hand is there.

    Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB, of the pose's canvas; result (F, 4) float32:
              absolute left, absolute right, relative left, relative right
    Units:    absolute: grey levels (0..255 scale), >= 0; relative: ratio to the clip's 90th percentile
    Source:   CyberHost (ICLR 2025) section 3.3, appendix D, algorithm 1, figure 13
    Reads:    algorithm 1 swaps the words relative and absolute; we follow the text of appendix D and
              figure 13. "resized to a fixed resolution 128x128": the box itself, not a square around it.
              The percentile is interpolated between frames, and taken over the frames that show the hand
    """
    return clarity_scores(absolute_clarities(images_FYXC, pose), neutral_absolute=neutral_absolute)


def clarity_scores(absolute_FH: np.ndarray, *, neutral_absolute: float = NEUTRAL_ABSOLUTE) -> torch.Tensor:
    """Compare each hand's absolute scores with their pivot over the clip; see hand_clarity.

    Shapes:   absolute_FH (F, 2) left, right, NaN where unseen; result (F, 4) float32
    """
    left, right = (_against_pivot(absolute_F, neutral_absolute) for absolute_F in absolute_FH.T)
    scores_F4 = np.stack([left[0], right[0], left[1], right[1]], axis=1)
    return torch.from_numpy(scores_F4.astype(np.float32))


def absolute_clarities(images_FYXC: np.ndarray, pose: Pose) -> np.ndarray:
    """Measure both hands, frame by frame: (F, 2) left, right; see absolute_clarity."""
    hands = (pose.left_hand_FKC, pose.right_hand_FKC)
    return np.stack([absolute_clarity(images_FYXC, hand_FKC) for hand_FKC in hands], axis=1)


def absolute_clarity(images_FYXC: np.ndarray, hand_FKC: np.ndarray) -> np.ndarray:
    """Measure the standard deviation of the Laplacian of one hand, frame by frame.

    Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB; hand_FKC (F, 21, 3); result (F,) float64, NaN where unseen
    Units:    grey levels (0..255 scale)
    Source:   CyberHost (ICLR 2025) appendix D, algorithm 1
    """
    boxes_F4 = enclosing_boxes(hand_FKC)
    scores = np.full(len(boxes_F4), np.nan)
    for frame in np.flatnonzero(~np.isnan(boxes_F4).any(axis=1)):
        scores[frame] = laplacian_deviation(
            crop_and_resize(images_FYXC[frame], boxes_F4[frame], HAND_CROP_PX)
        )
    return scores


def laplacian_deviation(crop_CHW: torch.Tensor) -> float:
    """Standard deviation of the Laplacian (kernel size 3) of a picture's grey levels.

    Shapes:   crop_CHW (3, H, W) RGB
    Units:    crop -1..1; result in grey levels (0..255 scale)
    Source:   CyberHost (ICLR 2025) appendix D, algorithm 1
    Reads:    kernel and border (reflected, the edge not repeated) are those of cv2.Laplacian with ksize = 3
    """
    grey_HW = torch.einsum("c,chw->hw", _LUMA, crop_CHW) * 127.5  # the offset to 0..255 has no Laplacian
    padded = pad(grey_HW[None, None], (1, 1, 1, 1), mode="reflect")
    return float(conv2d(padded, _LAPLACIAN[None, None]).std(correction=0))


def _against_pivot(absolute_F: np.ndarray, neutral_absolute: float) -> tuple[np.ndarray, np.ndarray]:
    """Fill unseen frames with the pivot; divide by the pivot."""
    seen_F = ~np.isnan(absolute_F)
    pivot = np.percentile(absolute_F[seen_F], PIVOT_PERCENTILE) if seen_F.any() else neutral_absolute
    filled_F = np.where(seen_F, absolute_F, pivot)
    flat = pivot <= 0  # every hand crop is one flat colour: none is clearer than another
    relative_F = np.full(len(filled_F), NEUTRAL_RELATIVE) if flat else filled_F / pivot
    return filled_F, relative_F
