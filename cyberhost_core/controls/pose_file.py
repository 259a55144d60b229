"""Whole-body keypoints over time as a file: a hand track's file has no face, training on footage needs one.

    body (F, 18, 3)  face (F, 68, 3)  left (F, 21, 3)  right (F, 21, 3)   float32: x, y in px, score

Metadata, all text: format, fps, width, height, source. docs/data.md describes it for other programs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import MediaError
from ..media.output import writing, written_whole
from ..types import BODY_POINTS, FACE_POINTS, HAND_POINTS, Pose

FORMAT = "cyberhost-pose-track-1"
_POINTS = {"body": BODY_POINTS, "face": FACE_POINTS, "left": HAND_POINTS, "right": HAND_POINTS}
_GIVE = "give a file that 'cyberhost prepare manifest' wrote"


@dataclass(frozen=True, eq=False)
class PoseTrack:
    """Hold a pose over time and its rate.

    Units:    pose in px of its canvas, F frames at fps; source says in words where it comes from
    """

    pose: Pose
    fps: float
    source: str


def save_pose_track(path: str | Path, track: PoseTrack) -> None:
    """Write a pose track, whole or not at all.

    Raises:   MediaError: the place takes no file
    """
    pose = track.pose
    parts = (pose.body_FKC, pose.face_FKC, pose.left_hand_FKC, pose.right_hand_FKC)
    arrays = {
        name: np.ascontiguousarray(part, dtype=np.float32) for name, part in zip(_POINTS, parts, strict=True)
    }
    metadata = {
        "format": FORMAT,
        "fps": json.dumps(track.fps),
        "width": str(pose.width),
        "height": str(pose.height),
        "source": track.source,
    }
    with written_whole(path) as part, writing(path):
        save_file(arrays, part, metadata)


def load_pose_track(path: str | Path) -> PoseTrack:
    """Read a pose track.

    Raises:   MediaError: no such file, damaged, another format, wrong shapes, values that are not numbers
    """
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"There is no pose file {path}; check the path.")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise MediaError(f"{path} cannot be read as safetensors ({error}); {_GIVE}.") from error
    if metadata.get("format") != FORMAT:
        raise MediaError(
            f"{path} is no pose file: its format is {metadata.get('format')!r}, but {FORMAT!r} was expected; "
            f"{_GIVE}."
        )
    width, height = (_above_zero(metadata, name, path) for name in ("width", "height"))
    return PoseTrack(
        Pose(*_checked(arrays, path), height=int(height), width=int(width)),
        fps=_above_zero(metadata, "fps", path),
        source=metadata.get("source") or path.name,
    )


def _checked(arrays: dict[str, np.ndarray], path: Path) -> list[np.ndarray]:
    """Give body, face, left and right, all of one length and finite."""
    frames = len(arrays["body"]) if "body" in arrays else 0
    for name, points in _POINTS.items():
        found = arrays.get(name, np.zeros(0))
        if found.shape != (frames, points, 3) or not frames or not np.isfinite(found).all():
            raise MediaError(
                f"{path}, '{name}', has the shape {list(found.shape)} or values that are not numbers, but "
                f"finite points [frames, {points}, 3] were expected, as many frames in every part; {_GIVE}."
            )
    return [arrays[name].astype(np.float32) for name in _POINTS]


def _above_zero(metadata: dict[str, str], name: str, path: Path) -> float:
    text = metadata.get(name, "")
    try:
        number: Any = float(text)
    except ValueError:
        number = float("nan")
    if not 0 < number < float("inf"):
        raise MediaError(f"{path} has the {name} {text!r}, but a number above 0 was expected; {_GIVE}.")
    return number
