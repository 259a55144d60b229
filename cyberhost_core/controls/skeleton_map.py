"""Skeleton maps: the keypoints of a frame drawn in OpenPose's colours (CyberHost section 3.3, appendix E).

    pose-aligned reference   skeleton of the reference image, added after the ReferenceNet's first convolution
    video-driven             skeletons of every frame take the place of the movement map
    multimodal               both hands drawn onto the movement map

Sizes follow the shorter side of the picture, as DWPose's do: a map keeps its look at every resolution.
"""

import colorsys
from collections.abc import Callable, Collection
from typing import Literal

import numpy as np
import torch

from ..errors import ConfigError
from ..types import SEEN, Pose
from .drawing import Strokes, paint

Part = Literal["body", "hands", "face"]
ALL_PARTS: tuple[Part, ...] = ("body", "hands", "face")

# OpenPose's order of limbs, which is also the order of their colours
# fmt: off
BODY_LIMBS = np.array([
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10),
    (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
])
# fmt: on
HAND_BONES = np.array([(0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21)])

_LIMB_SHADE = 0.6  # limbs are darker than the joints painted over them
_DRAWN_AT_PX = 512  # the shorter side at which DWPose draws; the radii below are meant there
_LIMB_PX, _JOINT_PX, _BONE_PX, _HAND_JOINT_PX, _FACE_PX = 4.0, 4.0, 1.0, 4.0, 3.0
_THINNEST_PX = 0.5  # a bone must not vanish in a small picture


def draw_skeleton(pose: Pose, *, parts: Collection[Part] = ALL_PARTS) -> torch.Tensor:
    """Draw the skeleton of every frame on black.

    Shapes:   result (F, 3, H, W) float32, H x W the canvas of the pose (draw at another size: pose.scaled)
    Units:    RGB 0..1
    Raises:   ConfigError: a part that is not body, hands or face
    Source:   CyberHost (ICLR 2025) section 3.3 "Pose-aligned Reference Feature", section 4.2, appendix E
    Reads:    "skeleton map" names no style; we take OpenPose's colours, as DWPose and the public peers do
    Departs:  a limb is a capsule, not OpenPose's ellipse: it keeps its width in a small picture. Edges are
              soft, and at 512 px the bones of a hand are 2 px wide, where DWPose's "thickness 2" makes 3.
              Colours, order, discs and what is joined to what are DWPose's
    """
    return draw_skeleton_on(torch.zeros(1, 3, pose.height, pose.width), pose, parts=parts)


def draw_hands_on(movement_map_CHW: torch.Tensor, pose: Pose) -> torch.Tensor:
    """Draw the skeletons of both hands of every frame onto the clip's movement map.

    Shapes:   movement_map_CHW (3, H, W); result (F, 3, H, W) float32
    Units:    0..1
    Raises:   ConfigError: map and pose have canvases of different size
    Source:   CyberHost (ICLR 2025) section 4.4, appendix E: "we directly draw the skeleton maps of both hands
              onto the body movement map"
    """
    return draw_skeleton_on(movement_map_CHW[None], pose, parts=("hands",))


def draw_skeleton_on(
    pictures_FCHW: torch.Tensor, pose: Pose, *, parts: Collection[Part] = ALL_PARTS
) -> torch.Tensor:
    """Draw the skeleton of every frame onto a picture of its own, or onto one for all.

    Shapes:   pictures_FCHW (F or 1, 3, H, W); result (F, 3, H, W) float32
    Units:    RGB 0..1
    Raises:   ConfigError: a part that is not body, hands or face; pictures of another size or number
    """
    unknown = set(parts) - set(_LAYERS)
    if unknown:
        raise ConfigError(
            f"The skeleton has no part named {sorted(unknown)[0]!r}; choose from {', '.join(ALL_PARTS)}."
        )
    canvas = canvas_of(pictures_FCHW, pose)
    for part in ALL_PARTS:
        if part in parts:
            _LAYERS[part](canvas, pose)
    return channels_first(canvas)


def canvas_of(pictures_FCHW: torch.Tensor, pose: Pose) -> np.ndarray:
    """Copy the pictures that a pose is to be painted on, one per frame.

    Shapes:   pictures_FCHW (F or 1, 3, H, W); result (F, H, W, 3) float32
    Raises:   ConfigError: pictures of another size or number than the pose's
    """
    count, (height, width) = len(pictures_FCHW), pictures_FCHW.shape[-2:]
    if (height, width) != (pose.height, pose.width):
        raise ConfigError(
            f"The map is {width} x {height} px, the pose's canvas {pose.width} x {pose.height}; "
            "draw both at one size."
        )
    if count not in (1, len(pose)):
        raise ConfigError(
            f"There are {count} maps to draw on and {len(pose)} frames of the pose; give one map, or one per "
            "frame."
        )
    pictures_FYXC = pictures_FCHW.detach().cpu().float().permute(0, 2, 3, 1).numpy()
    return np.repeat(pictures_FYXC, len(pose) // count, axis=0)  # always a copy: it is painted on


def channels_first(canvas_FYXC: np.ndarray) -> torch.Tensor:
    """Give a painted canvas as maps, (F, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(canvas_FYXC.transpose(0, 3, 1, 2)))


def _paint_body(canvas: np.ndarray, pose: Pose) -> None:
    palette, limb_px = hues(18), _px(pose, _LIMB_PX)
    paint(canvas, _lines(pose.body_FKC, BODY_LIMBS, colours=palette[:17] * _LIMB_SHADE, radius=limb_px))
    paint(canvas, _dots(pose.body_FKC, colours=palette, radius=_px(pose, _JOINT_PX)))


def _paint_hands(canvas: np.ndarray, pose: Pose) -> None:
    blue = np.tile(np.array([0.0, 0.0, 1.0], dtype=np.float32), (21, 1))
    for hand_FKC in (pose.left_hand_FKC, pose.right_hand_FKC):
        paint(canvas, _lines(hand_FKC, HAND_BONES, colours=hues(20), radius=_px(pose, _BONE_PX)))
        paint(canvas, _dots(hand_FKC, colours=blue, radius=_px(pose, _HAND_JOINT_PX)))


def _paint_face(canvas: np.ndarray, pose: Pose) -> None:
    paint(canvas, _dots(pose.face_FKC, colours=np.ones((68, 3)), radius=_px(pose, _FACE_PX)))


_LAYERS: dict[str, Callable[[np.ndarray, Pose], None]] = {
    "body": _paint_body,
    "hands": _paint_hands,
    "face": _paint_face,
}


def _px(pose: Pose, size_at_512: float) -> float:
    return max(size_at_512 * min(pose.height, pose.width) / _DRAWN_AT_PX, _THINNEST_PX)


def hues(count: int) -> np.ndarray:
    """Colours evenly around the circle: OpenPose's palette (18) and that of the hand bones (20)."""
    return np.array(
        [colorsys.hsv_to_rgb(index / count, 1.0, 1.0) for index in range(count)], dtype=np.float32
    )


def _seen(points_FKC: np.ndarray) -> np.ndarray:
    return (points_FKC[..., 2] >= SEEN) & np.isfinite(points_FKC).all(-1)


def _lines(points_FKC: np.ndarray, pairs_E2: np.ndarray, *, colours: np.ndarray, radius: float) -> Strokes:
    """Join pairs of points where both ends are seen."""
    seen = _seen(points_FKC)
    frame, edge = np.nonzero(seen[:, pairs_E2[:, 0]] & seen[:, pairs_E2[:, 1]])
    start, end = pairs_E2[edge].T
    ends = points_FKC[frame, start, :2], points_FKC[frame, end, :2]
    return Strokes(frame, *ends, np.full(len(frame), radius, dtype=np.float32), colours[edge])


def _dots(points_FKC: np.ndarray, *, colours: np.ndarray, radius: float) -> Strokes:
    frame, point = np.nonzero(_seen(points_FKC))
    place = points_FKC[frame, point, :2]
    return Strokes(frame, place, place, np.full(len(frame), radius, dtype=np.float32), colours[point])
