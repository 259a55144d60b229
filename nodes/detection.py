"""Detect the pose of many pictures, so that Cancel is heard between a few of them."""

from pathlib import Path

import numpy as np
from torch import Tensor

from ..cyberhost_core.perception.pose import PoseDetector, require_person
from ..cyberhost_core.types import Pose
from .bridge.progress import progress, stop_if_cancelled
from .images import frames_from_image

_BATCH = 8  # pictures between two looks at Cancel


def detect(image: Tensor, detector_path: Path, *, padding: float) -> Pose:
    """Find one person in every picture.

    Raises:   PoseError: nobody in any picture; ImageError: no pictures
              CheckpointError, MissingExtraError: see PoseDetector
    """
    frames_FYXC = frames_from_image(image)
    detector = PoseDetector(detector_path)
    shown = progress(len(frames_FYXC))
    found = []
    for start in range(0, len(frames_FYXC), _BATCH):
        stop_if_cancelled()
        batch_FYXC = frames_FYXC[start : start + _BATCH]
        found.append(detector.detect(batch_FYXC, padding=padding).packed_FKC())
        shown.update(len(batch_FYXC))
    height, width = frames_FYXC.shape[1:3]
    return require_person(Pose.from_packed(np.concatenate(found), height=height, width=width))
