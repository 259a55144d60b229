"""Keypoint maps: arms and legs as weak guidance beside the hand maps (EMO2 section 3.4).

keypoints --(in training: median over time)--> arms and legs alone --> dots and limbs, OpenPose's colours
"""

from dataclasses import replace

import numpy as np
import torch

from ...controls.skeleton_map import draw_skeleton
from ...types import SEEN, Pose

ARMS, LEGS = (2, 3, 4, 5, 6, 7), (8, 9, 10, 11, 12, 13)  # OpenPose: right before left
MEDIAN_FRAMES = 25


def draw_keypoint_maps(pose: Pose) -> torch.Tensor:
    """Draw the joints of arms and legs of every frame, and the limbs between them, on black.

    Shapes:   result (F, 3, H, W) float32, H x W the canvas of the pose
    Units:    RGB 0..1
    Source:   EMO2 section 3.4: "The keypoints maps indicate the 2D positions of joints in the arms and legs"
    """
    return draw_skeleton(limbs_only(pose), parts=("body",))


def limbs_only(pose: Pose) -> Pose:
    """Count every point of the body as unseen but those of arms and legs."""
    body_FKC = np.zeros_like(pose.body_FKC)
    kept = [*ARMS, *LEGS]
    body_FKC[:, kept] = pose.body_FKC[:, kept]
    return replace(pose, body_FKC=body_FKC)


def median_filtered(pose: Pose, *, frames: int = MEDIAN_FRAMES) -> Pose:
    """Let each body point follow the median of its places around each frame: for training.

    Points then stray from the joints on purpose, so that the model takes them as a hint and not as an order.
    Scores, hands and face stay; where a point is not seen it stays unseen, and does not count for others.

    Units:    frames: the window, centred, shorter at both ends; an even number counts as one more
    Source:   EMO2 section 3.4: "we apply large-kernel median filtering to the 2D keypoints along the temporal
              dimension during the training of the stage 2 model"
    Reads:    the paper gives no width; 25 frames are one second
    """
    reach = frames // 2
    seen_FK1 = pose.body_FKC[..., 2:] >= SEEN
    places = np.where(seen_FK1, pose.body_FKC[..., :2].astype(np.float64), np.nan)
    padded = np.pad(places, ((reach, reach), (0, 0), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    somewhere = np.isfinite(windows).any(axis=-1)
    medians = np.zeros_like(places)
    medians[somewhere] = np.nanmedian(windows[somewhere], axis=-1)
    filtered = np.where(seen_FK1, medians, pose.body_FKC[..., :2])
    body_FKC = np.concatenate([filtered, pose.body_FKC[..., 2:]], axis=-1).astype(np.float32)
    return replace(pose, body_FKC=body_FKC)
