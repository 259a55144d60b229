"""The outside networks to choose from: bundled ones for drawn puppets, the user's files for people.

models/cyberhost    every .onnx file; MediaPipe's networks for people, converted
models/insightface  where other packs keep face networks
"""

from pathlib import Path

import folder_paths

from ...cyberhost_core import bundled
from ...cyberhost_core.errors import CheckpointError
from .folders import KEY
from .formats import PEOPLE, listed

BUNDLED_POSE = "puppet-pose (bundled)"
BUNDLED_FACE = "puppet-face (bundled)"
WHOLE_PICTURE = "whole picture"
_FINDS_PEOPLE = "yolox"  # in the names of person detectors
_INSIGHTFACE = "insightface"


def pose_detectors() -> list[str]:
    """List the detectors; the bundled one, for drawn puppets, comes first."""
    dwpose = (name for name in _onnx_files() if not _finds_people(name))
    return [BUNDLED_POSE, *dwpose, *listed(lambda kind: kind == PEOPLE)]


def pose_detector_path(name: str) -> Path:
    """Find a listed detector.

    Raises:   CheckpointError: it is not there
    """
    if name == BUNDLED_POSE:
        return bundled.require(bundled.POSE_NETWORK)
    return _found(
        name,
        what="pose detector",
        for_people="dw-ll_ucoco_384.onnx, from huggingface.co/yzd-v/DWPose",
        instead=BUNDLED_POSE,
    )


def person_detectors() -> list[str]:
    """List what finds people; looking at the whole picture as one person comes first."""
    return [WHOLE_PICTURE, *(name for name in _onnx_files() if _finds_people(name))]


def person_detector_path(name: str) -> Path | None:
    """Find a listed person detector; None for the whole picture.

    Raises:   CheckpointError: it is not there
    """
    if name == WHOLE_PICTURE:
        return None
    return _found(
        name,
        what="person detector",
        for_people="yolox_l.onnx, from huggingface.co/yzd-v/DWPose",
        instead=WHOLE_PICTURE,
    )


def face_networks() -> list[str]:
    """List the face networks; the bundled one, for drawn puppets, comes first."""
    insightface = (f"{_INSIGHTFACE}/{path.relative_to(folder).as_posix()}" for folder, path in _insightface())
    own = (name for name in _onnx_files() if not _finds_people(name))
    return [BUNDLED_FACE, *dict.fromkeys([*own, *insightface])]


def face_network_path(name: str) -> Path:
    """Find a listed face network.

    Raises:   CheckpointError: it is not there
    """
    if name == BUNDLED_FACE:
        return bundled.require(bundled.FACE_NETWORK)
    for folder, path in _insightface():
        if name == f"{_INSIGHTFACE}/{path.relative_to(folder).as_posix()}":
            return path
    return _found(
        name,
        what="face network",
        for_people="glintr100.onnx, from InsightFace's antelopev2",
        instead=BUNDLED_FACE,
    )


def file_state(path: Path | None) -> tuple[int, int]:
    """Tell whether a file has changed since the last look: time of change and size."""
    if path is None:
        return 0, 0
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


def _onnx_files() -> list[str]:
    return [name for name in folder_paths.get_filename_list(KEY) if name.lower().endswith(".onnx")]


def _finds_people(name: str) -> bool:
    return _FINDS_PEOPLE in Path(name).name.lower()


def _insightface() -> list[tuple[Path, Path]]:
    """List (folder, file): InsightFace keeps one folder per set of networks inside."""
    usual = str(Path(folder_paths.models_dir) / _INSIGHTFACE)
    registered = folder_paths.folder_names_and_paths.get(_INSIGHTFACE, ([], set()))[0]
    folders = [Path(name) for name in dict.fromkeys([*registered, usual])]
    return [(folder, path) for folder in folders for path in sorted(folder.rglob("*.onnx"))]


def _found(name: str, *, what: str, for_people: str, instead: str) -> Path:
    found = folder_paths.get_full_path(KEY, name)
    if found is None:
        raise CheckpointError(
            f"There is no {what} '{name}' in models/{KEY}; put the file there (for people: {for_people}), or "
            f"choose '{instead}'."
        )
    return Path(found)
