"""Hand and face regions: boxes, masks and crops (CyberHost section 3.2).

    keypoints -> smallest box --+--> mask at latent resolution   M_gt: mask loss, local enhancement
                                +--> square crop                 identity descriptor: hands 128, face 256 px
                                +--> crop                        hand clarity

Left and right are the person's own. A part that is not seen has a box of NaN, an empty mask and a crop of 0.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..types import SEEN, Pose
from .drawing import coverage, fill_boxes

HAND_CROP_PX = 128
FACE_CROP_PX = 256
FACE_DETAILS = (slice(36, 42), slice(42, 48), slice(48, 68))  # of 68 points: right eye, left eye, mouth
FACE_AREA_MARGIN = 0.25  # of the face's box; a head sways about as far
SEEN_SHARE = 0.25  # a part is seen when at least this share of its points is


@dataclass(frozen=True)
class Crops:
    """Hold square crops of one frame, and which of them show something.

    Shapes:   images_NCHW (N, 3, size, size) float32; seen_N (N,) bool
    Units:    -1..1; 0 (mid-grey) outside the picture and where nothing is seen
    """

    images_NCHW: torch.Tensor
    seen_N: torch.Tensor


def enclosing_boxes(points_FKC: np.ndarray, *, margin_frac: float = 0.0) -> np.ndarray:
    """Find the smallest box around the seen points of a part, frame by frame.

    Shapes:   points_FKC (F, K, 3); result (F, 4) x0, y0, x1, y1; NaN where the part is not seen
    Units:    px; margin_frac of the box's own sides, added on every side; no side is below 1 px
    Source:   CyberHost (ICLR 2025) section 3.2: "obtained by the minimal enclosing area defined by their
              respective key points"
    Reads:    a part counts as seen from a quarter of its points on; the paper filters its data instead
    """
    seen_FK = (points_FKC[..., 2] >= SEEN) & np.isfinite(points_FKC).all(-1)
    places = points_FKC[..., :2]
    low = np.where(seen_FK[..., None], places, np.inf).min(axis=1)
    high = np.where(seen_FK[..., None], places, -np.inf).max(axis=1)
    present_F = seen_FK.mean(axis=1) >= SEEN_SHARE
    low, high = (np.where(present_F[:, None], corner, np.nan) for corner in (low, high))
    half = np.maximum((high - low) * (0.5 + margin_frac), 0.5)
    centre = (low + high) / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def enclosing_box(points_KC: np.ndarray, *, margin_frac: float = 0.0) -> np.ndarray | None:
    """Find the smallest box around one part in one frame, or None when the part is not seen.

    Shapes:   points_KC (K, 3); result (4,)
    Units:    px
    Source:   CyberHost (ICLR 2025) section 3.2
    """
    box = enclosing_boxes(points_KC[None], margin_frac=margin_frac)[0]
    return None if np.isnan(box).any() else box


def hands_seen(pose: Pose) -> np.ndarray:
    """Tell which frames show the left and the right hand: (F, 2) bool."""
    hands = (pose.left_hand_FKC, pose.right_hand_FKC)
    return np.stack([~np.isnan(enclosing_boxes(hand)).any(axis=1) for hand in hands], axis=1)


def hand_masks(pose: Pose, *, height: int, width: int, margin_frac: float = 0.0) -> torch.Tensor:
    """Mark the boxes of both hands at latent resolution.

    Shapes:   result (F, height, width) float32
    Units:    0..1: the share of the cell that the larger of both boxes covers
    Source:   CyberHost (ICLR 2025) section 3.2, M_gt
    """
    left = _masks(pose.left_hand_FKC, pose, height=height, width=width, margin_frac=margin_frac)
    right = _masks(pose.right_hand_FKC, pose, height=height, width=width, margin_frac=margin_frac)
    return torch.from_numpy(np.maximum(left, right))


def face_masks(pose: Pose, *, height: int, width: int, margin_frac: float = 0.0) -> torch.Tensor:
    """Mark the box of the face at latent resolution.

    Shapes:   result (F, height, width) float32
    Units:    0..1: the share of the cell that the box covers
    Source:   CyberHost (ICLR 2025) section 3.2, M_gt
    """
    return torch.from_numpy(_masks(pose.face_FKC, pose, height=height, width=width, margin_frac=margin_frac))


def face_area(pose: Pose, *, height: int, width: int) -> torch.Tensor:
    """Mark where the face may be while a person speaks, as far as one picture tells.

    Shapes:   pose of one frame; result (height, width) float32
    Units:    0..1: the share of the cell that the box of the face, a quarter larger on every side, covers
    """
    return face_masks(pose, height=height, width=width, margin_frac=FACE_AREA_MARGIN)[0]


def face_detail_masks(pose: Pose, *, height: int, width: int) -> torch.Tensor:
    """Mark the boxes of both eyes and of the mouth at latent resolution.

    Shapes:   result (F, height, width) float32
    Units:    0..1: the share of the cell that the largest of the boxes covers
    """
    parts = [
        _masks(pose.face_FKC[:, points], pose, height=height, width=width, margin_frac=0.2)
        for points in FACE_DETAILS
    ]
    return torch.from_numpy(np.maximum.reduce(parts))


def hand_crops(
    image_YXC: np.ndarray, pose: Pose, *, size: int = HAND_CROP_PX, margin_frac: float = 0.0
) -> Crops:
    """Cut out the left and the right hand of one picture, in this order.

    Shapes:   image_YXC (Y, X, 3) uint8 RGB, of the pose's canvas; pose of one frame; result N = 2
    Units:    -1..1
    Source:   CyberHost (ICLR 2025) section 3.2 "Identity Descriptor"
    Reads:    boxes are widened to squares, so that hands keep their proportions
    """
    hands = (pose.left_hand_FKC[0], pose.right_hand_FKC[0])
    return _crops(image_YXC, hands, size=size, margin_frac=margin_frac)


def face_crop(
    image_YXC: np.ndarray, pose: Pose, *, size: int = FACE_CROP_PX, margin_frac: float = 0.0
) -> Crops:
    """Cut out the face of one picture.

    Shapes:   image_YXC (Y, X, 3) uint8 RGB, of the pose's canvas; pose of one frame; result N = 1
    Units:    -1..1
    Source:   CyberHost (ICLR 2025) section 3.2 "facial images are resized to a resolution of 256"
    """
    return _crops(image_YXC, (pose.face_FKC[0],), size=size, margin_frac=margin_frac)


def squared(box: np.ndarray) -> np.ndarray:
    """Widen the shorter side of a box about its centre until both sides are equal."""
    half = (box[2:] - box[:2]).max() / 2
    centre = (box[:2] + box[2:]) / 2
    return np.concatenate([centre - half, centre + half])


def crop_and_resize(image_YXC: np.ndarray, box: np.ndarray, size: int) -> torch.Tensor:
    """Resample what a box shows to size x size: linear when it grows, area average when it shrinks.

    The box may have fractions of a pixel and may leave the picture.

    Shapes:   image_YXC (Y, X, C) uint8; box (4,); result (C, size, size) float32
    Units:    box px; result -1..1, 0 (mid-grey) outside the picture
    """
    rows_OY = _resampling(box[1], box[3], size=size, cells=image_YXC.shape[0])
    columns_OX = _resampling(box[0], box[2], size=size, cells=image_YXC.shape[1])
    used_y, used_x = _used(rows_OY), _used(columns_OX)
    patch_YXC = image_YXC[used_y, used_x].astype(np.float32) / 127.5 - 1
    by_row_OXC = np.tensordot(rows_OY[:, used_y], patch_YXC, axes=(1, 0))
    crop_OCO = np.tensordot(by_row_OXC, columns_OX[:, used_x], axes=(1, 1))
    return torch.from_numpy(np.ascontiguousarray(crop_OCO.transpose(1, 0, 2)))


def _masks(points_FKC: np.ndarray, pose: Pose, *, height: int, width: int, margin_frac: float) -> np.ndarray:
    cells_per_px = np.array([width / pose.width, height / pose.height] * 2, dtype=np.float32)
    boxes_F4 = enclosing_boxes(points_FKC, margin_frac=margin_frac) * cells_per_px
    return fill_boxes(boxes_F4, height=height, width=width)


def _crops(image_YXC: np.ndarray, parts: tuple[np.ndarray, ...], *, size: int, margin_frac: float) -> Crops:
    boxes = [enclosing_box(points_KC, margin_frac=margin_frac) for points_KC in parts]
    nothing = torch.zeros(3, size, size)
    images = [nothing if box is None else crop_and_resize(image_YXC, squared(box), size) for box in boxes]
    return Crops(torch.stack(images), torch.tensor([box is not None for box in boxes]))


def _resampling(low: float, high: float, *, size: int, cells: int) -> np.ndarray:
    """Weights (size, cells) that resample [low, high) to `size` pixels.

    A target pixel averages the stretch around its centre that is one target pixel or one source pixel long,
    whichever is longer: the first is the area average, the second is exactly linear interpolation.
    """
    step = (high - low) / size
    centre = low + (np.arange(size) + 0.5) * step
    half = max(step, 1.0) / 2
    return coverage(centre - half, centre + half, cells=cells) / np.float32(2 * half)


def _used(weights_OY: np.ndarray) -> slice:
    """The run of source pixels that any target pixel looks at."""
    used = np.flatnonzero(weights_OY.any(axis=0))
    return slice(used[0], used[-1] + 1) if len(used) else slice(0, 0)
