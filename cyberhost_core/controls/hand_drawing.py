"""Hands alone, drawn as EchoMimicV2 was trained to see them: brighter the surer the detector was.

    on a canvas whose shorter side is 800 px: 20 bones 3 px wide, hues around the circle, over them 21 discs
    8 px wide; both at the brightness of the scores; then red and blue change places

The last step is a slip in the published drawing that its weights have learnt: joints are red, not blue, and
the thumb's first bone is blue.
"""

import numpy as np
import torch

from ..types import HAND_POINTS, Pose
from .drawing import Strokes, paint
from .skeleton_map import HAND_BONES, canvas_of, channels_first, hues

DRAWN_AT_PX = 800  # the shorter side of the canvas that the sizes below are meant on
BONE_PX, JOINT_PX = 1.5, 4.0  # radii; OpenCV makes a line of "thickness 2" 3 px wide
_LEVELS = 255  # brightness comes in whole levels
_THINNEST_PX = 0.5  # a bone must not vanish in a small picture
_JOINT_RGB = np.array([1.0, 0.0, 0.0], dtype=np.float32)


def draw_peer_hands(pose: Pose) -> torch.Tensor:
    """Draw both hands of every frame on black.

    Shapes:   result (F, 3, H, W) float32, H x W the canvas of the pose (draw at another size: pose.scaled)
    Units:    RGB 0..1
    Source:   EchoMimicV2 (Meng et al. 2024), the hand pose drawing of its published code
    Reads:    no point is too unsure to be drawn, only darker; a pose that came as POSE_KEYPOINT has lost the
              places of its unsure points, and leaves them out
    Departs:  edges are soft, where the peer's come from scaling a hard-edged drawing to the picture's size
    """
    return draw_peer_hands_on(torch.zeros(1, 3, pose.height, pose.width), pose)


def draw_peer_hands_on(pictures_FCHW: torch.Tensor, pose: Pose) -> torch.Tensor:
    """Draw both hands of every frame onto a picture of its own, or onto one for all.

    Shapes:   pictures_FCHW (F or 1, 3, H, W); result (F, 3, H, W) float32
    Units:    RGB 0..1
    Raises:   ConfigError: pictures of another size or number
    Source:   see draw_peer_hands
    """
    canvas = canvas_of(pictures_FCHW, pose)
    for hand_FKC in (pose.left_hand_FKC, pose.right_hand_FKC):
        # its pixels of the 800 px canvas, as the peer cuts them off; the first row and column count as unseen
        place_FK2 = np.floor(np.nan_to_num(hand_FKC[..., :2]) * (DRAWN_AT_PX / min(pose.height, pose.width)))
        score_FK = np.where(np.isfinite(hand_FKC).all(-1), hand_FKC[..., 2], 0)
        score_FK = np.where((place_FK2 > 0).all(-1), score_FK, 0)
        paint(canvas, _bones(pose, place_FK2, score_FK))
        paint(canvas, _joints(pose, place_FK2, score_FK))
    return channels_first(canvas)


def _bones(pose: Pose, place_FK2: np.ndarray, score_FK: np.ndarray) -> Strokes:
    start, end = HAND_BONES.T
    level_FE = _levels(score_FK[:, start] * score_FK[:, end])
    frame, bone = np.nonzero(level_FE)
    colours = hues(len(HAND_BONES))[bone, ::-1] * level_FE[frame, bone, None]
    ends_2N2 = np.stack([place_FK2[frame, start[bone]], place_FK2[frame, end[bone]]])
    return _strokes(pose, frame, ends_2N2, radius_px=BONE_PX, colours=colours)


def _joints(pose: Pose, place_FK2: np.ndarray, score_FK: np.ndarray) -> Strokes:
    level_FK = _levels(score_FK)
    frame, point = np.nonzero(level_FK)
    colours = np.tile(_JOINT_RGB, (HAND_POINTS, 1))[point] * level_FK[frame, point, None]
    ends_2N2 = np.stack([place_FK2[frame, point]] * 2)
    return _strokes(pose, frame, ends_2N2, radius_px=JOINT_PX, colours=colours)


def _strokes(
    pose: Pose, frame_N: np.ndarray, ends_2N2: np.ndarray, *, radius_px: float, colours: np.ndarray
) -> Strokes:
    """Bring strokes between pixels of the 800 px canvas to the pose's; a pixel's centre is half a px in."""
    scale = min(pose.height, pose.width) / DRAWN_AT_PX
    radius_N = np.full(len(frame_N), max(radius_px * scale, _THINNEST_PX), dtype=np.float32)
    start_N2, end_N2 = (ends_2N2 + 0.5) * scale
    return Strokes(frame_N, start_N2, end_N2, radius_N, colours)


def _levels(score: np.ndarray) -> np.ndarray:
    return np.floor(np.clip(score, 0, 1) * _LEVELS) / _LEVELS
