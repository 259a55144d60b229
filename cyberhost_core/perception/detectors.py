"""Open a pose detector from whichever file it comes in; the file's own metadata tells the kind."""

from pathlib import Path

from .people import PeopleDetector
from .people_file import holds_people_networks
from .pose import PoseDetector
from .protocols import FindsPoseInBoxes


def open_pose_detector(path: str | Path) -> FindsPoseInBoxes:
    """Open a people detector (see mediapipe_files), a puppets' network or a DWPose-like ONNX file.

    Raises:   MissingExtraError, CheckpointError: see PeopleDetector and PoseDetector
    """
    return PeopleDetector(path) if holds_people_networks(path) else PoseDetector(path)
