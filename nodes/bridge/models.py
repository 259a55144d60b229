"""The pose detectors to choose from: the bundled one, and ONNX files in models/cyberhost."""

from pathlib import Path

import folder_paths

from ...cyberhost_core import bundled
from ...cyberhost_core.errors import CheckpointError
from .folders import KEY

BUNDLED_POSE = "puppet-pose (bundled)"


def pose_detectors() -> list[str]:
    """List the detectors; the bundled one, for drawn puppets, comes first."""
    return [BUNDLED_POSE, *(name for name in folder_paths.get_filename_list(KEY) if name.endswith(".onnx"))]


def pose_detector_path(name: str) -> Path:
    """Find a listed detector.

    Raises:   CheckpointError: it is not there
    """
    if name == BUNDLED_POSE:
        return bundled.require(bundled.POSE_NETWORK)
    found = folder_paths.get_full_path(KEY, name)
    if found is None:
        raise CheckpointError(
            f"There is no pose detector '{name}' in models/{KEY}; put the file there (for people: "
            f"dw-ll_ucoco_384.onnx, from huggingface.co/yzd-v/DWPose), or choose '{BUNDLED_POSE}'."
        )
    return Path(found)
