"""Where a talking head listens: soft masks of face and lips, and the box that tells where the face is.

68 points -> box of the face x 1.2, of the lips x 2 --> 64 x 64 --> blurred, least to 0, most to 1
               |                                                     |
               +--> face map, 0 or 1, at the picture's size          +--> full = 1 - face
                                                                          face = face - lip, not below 0
                                                                          lip  = lip
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from ..errors import PoseError
from ..types import Pose
from .regions import enclosing_box

MASK_CELLS = 64
FACE_GROWN, LIPS_GROWN = 1.2, 2.0
FACE_BLUR_CELLS, LIPS_BLUR_CELLS = 51, 31  # widths of the gaussians' windows
LIPS = slice(48, 68)
# A face's oval reaches up to the hair; iBUG's points end at the brows. In MediaPipe's canonical face model
# the part above them is this share of the part from brows to chin.
FOREHEAD_FRAC = 0.21


def face_masks(pose: Pose) -> Tensor:
    """Make the masks that sound is weighed with, one per branch: everything else, the face, the lips.

    Shapes:   pose of one frame; result (3, 64, 64) float32: full, face, lip
    Units:    0..1; a cell is 1/64 of the picture's width and height, which may differ
    Raises:   PoseError: the face or its mouth is not seen
    Source:   Hallo (Xu et al. 2024), masks of the hierarchical audio attention, as its code makes them
    Reads:    Hallo's boxes go round MediaPipe's face oval and lips; ours are the least and most of the seen
              points of 68, with a forehead added
    Departs:  nothing is rounded to 256 levels on the way (the difference: up to 5 of 255); a box that fills
              the picture stays a mask of ones, where stretching least to most would leave nothing
    """
    face = _softened(_box_mask(pose, _face_box(pose)), window=FACE_BLUR_CELLS)
    lips = _softened(_box_mask(pose, _lips_box(pose)), window=LIPS_BLUR_CELLS)
    return torch.stack([1 - face, (face - lips).clamp(min=0), lips])


def mask_levels(masks_BYX: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Bring masks to the sizes of the network's levels, flattened as its tokens are.

    Shapes:   masks_BYX (3, 64, 64); sizes (height, width) in tokens; result (3, height x width) each
    Units:    0..1
    Source:   Hallo: Pillow's bilinear resizing, which averages over the cells that a token covers
    """
    return [
        interpolate(masks_BYX[None], size=size, mode="bilinear", antialias=True)[0].flatten(1)
        for size in sizes
    ]


def face_box_map(pose: Pose) -> Tensor:
    """Draw the box of the face, white on black: the face locator's picture.

    Shapes:   pose of one frame; result (1, 3, H, W) float32, the canvas of the pose
    Units:    0 or 1
    Raises:   PoseError: the face is not seen
    Source:   Hallo (Xu et al. 2024), face locator
    Reads:    see face_masks
    """
    return _box_mask(pose, _face_box(pose)).expand(1, 3, -1, -1).contiguous()


def _face_box(pose: Pose) -> np.ndarray:
    box = enclosing_box(pose.face_FKC[0])
    if box is None:
        raise PoseError(
            "The face is not seen in the picture, one in full view was expected; use a picture of a person "
            "from the front."
        )
    box[1] -= FOREHEAD_FRAC * (box[3] - box[1])
    return _grown(box, pose, times=FACE_GROWN)


def _lips_box(pose: Pose) -> np.ndarray:
    box = enclosing_box(pose.face_FKC[0, LIPS])
    if box is None:
        raise PoseError(
            "The mouth is not seen in the picture, one in full view was expected; use a picture of a person "
            "from the front, with nothing before the mouth."
        )
    return _grown(box, pose, times=LIPS_GROWN)


def _grown(box: np.ndarray, pose: Pose, *, times: float) -> np.ndarray:
    """Grow a box about its centre, in whole px, and push it back into the picture where it leaves it."""
    low, high = np.rint(box[:2]), np.rint(box[2:])
    middle, half = (low + high) // 2, (high - low) * times // 2
    size = np.array([pose.width, pose.height])
    low, high = middle - half, middle + half
    low, high = np.maximum(low, 0), high + np.maximum(-low, 0)
    low, high = low - np.maximum(high - size, 0), np.minimum(high, size)
    return np.concatenate([np.maximum(low, 0), high]).astype(int)


def _box_mask(pose: Pose, box: np.ndarray) -> Tensor:
    mask_YX = torch.zeros(pose.height, pose.width)
    mask_YX[box[1] : box[3], box[0] : box[2]] = 1
    return mask_YX


def _softened(mask_YX: Tensor, *, window: int) -> Tensor:
    small = interpolate(mask_YX[None, None], size=(MASK_CELLS, MASK_CELLS), mode="bilinear")
    bell = _bell(window)
    reach = window // 2
    wide = pad(small, (reach, reach, reach, reach), mode="reflect")
    blurred = conv2d(conv2d(wide, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))[0, 0]
    least, most = blurred.min(), blurred.max()
    return (blurred - least) / (most - least) if most - least > 1e-6 else blurred


def _bell(window: int) -> Tensor:
    """A gaussian as OpenCV makes it when only its window is given."""
    sigma = 0.3 * ((window - 1) / 2 - 1) + 0.8
    place = torch.arange(window, dtype=torch.float64) - window // 2
    bell = torch.exp(-(place**2) / (2 * sigma**2))
    return (bell / bell.sum()).float()
