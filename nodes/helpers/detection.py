"""Detect the poses of many pictures, so that Cancel is heard between a few of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...cyberhost_core.controls.pose_keypoint import keypoints_from_pose
from ...cyberhost_core.controls.skeleton_map import draw_skeleton_on
from ...cyberhost_core.errors import PoseError
from ...cyberhost_core.perception.detectors import open_pose_detector
from ...cyberhost_core.perception.person_boxes import PersonDetector, poses_in_boxes
from ...cyberhost_core.perception.pose import require_person
from ...cyberhost_core.perception.protocols import FindsPoseInBoxes
from ...cyberhost_core.types import PACKED_POINTS, Pose
from ..bridge.progress import in_batches
from .images import frames_from_image, image_from_maps, maps_from_image
from .poses import overlay

_BATCH = 8  # pictures between two looks at Cancel


@dataclass(frozen=True)
class Detection:
    """The people of some pictures, and what ran the networks that found them.

    people: as many as the fullest picture shows, from left to right, each over all pictures; in a picture
    with fewer, the last ones are all zeros
    """

    people: list[Pose]
    runs_on: str


def detect(
    image: Tensor, detector_path: Path, *, padding: float, person_detector_path: Path | None = None
) -> Detection:
    """Find one person in every picture, or everybody where a person detector is given.

    Units:    padding: of the whole picture; boxes that a person detector finds get DWPose's own
    Raises:   PoseError: nobody in any picture; ImageError: no pictures
              CheckpointError, MissingExtraError: see open_pose_detector
    """
    frames_FYXC = frames_from_image(image)
    detector = open_pose_detector(detector_path)
    if person_detector_path is None:
        pose = _whole_pictures(detector, frames_FYXC, padding=padding)
        return Detection([require_person(pose)], f"pose: {detector.runs_on}")
    finder = PersonDetector(person_detector_path)
    people = _everybody(detector, finder, frames_FYXC)
    return Detection(people, f"pose: {detector.runs_on}; person detector: {finder.runs_on}")


def keypoints_of(people: list[Pose]) -> list[dict[str, Any]]:
    """Write people as POSE_KEYPOINT, those of a frame in their order."""
    written = [keypoints_from_pose(pose) for pose in people]
    return [
        {**frames[0], "people": [person for frame in frames for person in frame["people"]]}
        for frames in zip(*written, strict=True)
    ]


def overlays(image: Tensor, people: list[Pose]) -> Tensor:
    """Draw one picture after the other: of large ones, drawing takes longer than detecting."""
    drawn = []
    for one in in_batches(len(image), size=1):
        first, *others = people
        picture = overlay(image[one], first[one])
        for pose in others:
            picture = image_from_maps(draw_skeleton_on(maps_from_image(picture), pose[one]))
        drawn.append(picture)
    return torch.cat(drawn)


def _whole_pictures(detector: FindsPoseInBoxes, frames_FYXC: np.ndarray, *, padding: float) -> Pose:
    found = [
        detector.detect(frames_FYXC[batch], padding=padding).packed_FKC()
        for batch in in_batches(len(frames_FYXC), size=_BATCH)
    ]
    height, width = frames_FYXC.shape[1:3]
    return Pose.from_packed(np.concatenate(found), height=height, width=width)


def _everybody(detector: FindsPoseInBoxes, finder: PersonDetector, frames_FYXC: np.ndarray) -> list[Pose]:
    count, (height, width) = len(frames_FYXC), frames_FYXC.shape[1:3]
    packed: list[np.ndarray] = []
    for batch in in_batches(count, size=_BATCH):
        found = poses_in_boxes(detector, frames_FYXC[batch], finder.detect(frames_FYXC[batch]))
        while len(packed) < len(found):
            packed.append(np.zeros((count, PACKED_POINTS, 3), dtype=np.float32))
        for packed_FKC, pose in zip(packed, found, strict=False):
            packed_FKC[batch] = pose.packed_FKC()
    if not packed:
        raise PoseError(
            f"The person detector found nobody in any of {count} pictures, at least one person was expected; "
            "use pictures that show more of a person, or look at the whole picture instead."
        )
    require_person(Pose.from_packed(np.concatenate(packed), height=height, width=width))
    return [Pose.from_packed(packed_FKC, height=height, width=width) for packed_FKC in packed]
