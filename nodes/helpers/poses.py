"""Poses as the nodes pass them on, and the pictures that they belong to."""

from typing import Any

import numpy as np
from torch import Tensor

from ...cyberhost_core.controls.pose_keypoint import pose_from_keypoints
from ...cyberhost_core.controls.skeleton_map import draw_skeleton_on
from ...cyberhost_core.errors import PoseError
from ...cyberhost_core.types import Pose
from .images import image_from_maps, maps_from_image
from .person import LARGEST

_DIMMED = 0.6  # the picture under an overlay, so that the colours of a skeleton stand out
_ROUNDING_PX = 1.5  # a canvas is rounded to whole pixels on both sides


def pose_of(keypoints: list[dict[str, Any]], person: int) -> Pose:
    """Read the chosen person.

    Raises:   PoseError: see pose_from_keypoints
    """
    return pose_from_keypoints(keypoints, person=None if person == LARGEST else person)


def pose_on(frames_FYXC: np.ndarray, keypoints: list[dict[str, Any]], *, person: int) -> Pose:
    """Read the chosen person in pixels of these pictures; a detector may have worked at another size.

    Raises:   PoseError: another number of frames, or a canvas of other proportions
    """
    pose = pose_of(keypoints, person)
    count, height, width = frames_FYXC.shape[:3]
    if len(pose) != count:
        raise PoseError(
            f"The pose has {len(pose)} frames and there are {count} images, one pose per image was expected; "
            "detect the pose in these same images."
        )
    if abs(pose.width * height - pose.height * width) > _ROUNDING_PX * max(height, width):
        raise PoseError(
            f"The pose was found on a canvas of {pose.width} x {pose.height} px, the image has {width} x "
            f"{height} px, the same proportions were expected; detect the pose in this same image."
        )
    return pose.scaled(height=height, width=width)


def overlay(image: Tensor, pose: Pose) -> Tensor:
    """Draw skeletons over their dimmed pictures, as an IMAGE."""
    return image_from_maps(draw_skeleton_on(maps_from_image(image) * _DIMMED, pose))
