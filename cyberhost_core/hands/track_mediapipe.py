"""Tracks from the landmarks of MediaPipe's Hand Landmarker, its results of a whole clip in one JSON file.

    {"width": 1280, "height": 720, "fps": 30, "frames": [
    {"hand_landmarks": [[{"x": 0.5, "y": 0.5, ...} x 21], ...], "handedness": [[{"category_name": "Left",
     "score": 0.98}], ...]},
    ...]}

Names are those of its Python results; those of JavaScript (landmarks, categoryName) are read, too. Its 21
points are in OpenPose's order. docs/hand-tracks.md says how to write such a file.
"""

from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MediaError
from ..types import BODY_POINTS, HAND_POINTS
from .conventions import Conventions
from .npz_file import MOST_FRAMES
from .track_content import TrackContent, checked_canvas, checked_rows

_ANSWERS = ("fps", "handedness")
_SIDES = {"Left": "left", "Right": "right"}
_OTHER = {"left": "right", "right": "left"}
_WRISTS = {"left": 7, "right": 4}  # OpenPose
_WRITE = "write the file as docs/hand-tracks.md says"


def is_mediapipe(content: Any) -> bool:
    """Tell such a file from a hand track of our own, which names its format."""
    return (
        isinstance(content, dict)
        and "format" not in content
        and {"width", "height", "frames"} <= set(content)
    )


def read_mediapipe(content: dict[str, Any], path: Path, told: Conventions) -> TrackContent:
    """Read a track of keypoints; where one hand was found twice in a frame, the surer one counts.

    Points outside of the picture are guesses of the detector, and count as unseen. The score of a point is
    that of its hand.

    Raises:   MediaError: another layout, wrong counts, values that are not numbers
              ConfigError: what the file leaves open was not told
    Source:   MediaPipe, HandLandmarkerResult: landmarks as fractions of the picture; "Left and Right
              handedness correspond to the subject's hands", which its older Hands has the other way round
    """
    told.require_use(path, uses=_ANSWERS)
    width, height = checked_canvas([content["width"], content["height"]], path)
    frames = content["frames"]
    if not isinstance(frames, list) or not 0 < len(frames) <= MOST_FRAMES:
        raise MediaError(
            f"{path} holds no list of 1 to {MOST_FRAMES} frames, but one was expected; {_WRITE}."
        )
    mirrored = told.mirrored(path, asked="whose left it means")
    points = {side: np.zeros((len(frames), HAND_POINTS, 3), dtype=np.float32) for side in _OTHER}
    points["body"] = np.zeros((len(frames), BODY_POINTS, 3), dtype=np.float32)
    for number, frame in enumerate(frames):
        for side, hand_KC in _hands(frame, f"{path}, frame {number},"):
            shown = _OTHER[side] if mirrored else side
            if hand_KC[:, 2].max() > points[shown][number, :, 2].max():
                points[shown][number] = hand_KC * (width, height, 1.0)
    for side, wrist in _WRISTS.items():
        points["body"][:, wrist] = points[side][:, 0]
    fps = told.rate(content.get("fps"), path)
    return TrackContent(points, None, fps=fps, width=width, height=height, source=path.name)


def _hands(frame: Any, place: str) -> list[tuple[str, np.ndarray]]:
    """Read the hands of one frame: the label, and points (21, 3) as fractions of the picture."""
    landmarks, labels = (
        _list(frame, names, place)
        for names in (("hand_landmarks", "landmarks"), ("handedness", "handednesses"))
    )
    return [_hand(*pair, place) for pair in zip_longest(landmarks, labels)]


def _list(frame: Any, names: tuple[str, str], place: str) -> list[Any]:
    found = [frame[name] for name in names if name in frame] if isinstance(frame, dict) else []
    if not found or not isinstance(found[0], list):
        raise MediaError(
            f"{place} has no list '{names[0]}', but one was expected, empty where no hand is; {_WRITE}."
        )
    return found[0]


def _hand(landmarks: Any, label: Any, place: str) -> tuple[str, np.ndarray]:
    side, score = _label(label, place)
    points = landmarks if isinstance(landmarks, list) else []
    rows = [[point.get("x"), point.get("y"), score] if isinstance(point, dict) else point for point in points]
    hand_KC = checked_rows(rows, f"{place} a {side} hand", count=HAND_POINTS)
    inside_K = np.all((hand_KC[:, :2] >= 0) & (hand_KC[:, :2] < 1), axis=1)
    return side, hand_KC * inside_K[:, None]


def _label(label: Any, place: str) -> tuple[str, float]:
    """Read a label and how sure it is, from the first of the categories of a hand."""
    first = label[0] if isinstance(label, list) and label else label
    name = first.get("category_name", first.get("categoryName")) if isinstance(first, dict) else None
    score = first.get("score") if isinstance(first, dict) else None
    if (
        name not in _SIDES
        or isinstance(score, bool)
        or not isinstance(score, int | float)
        or not 0 <= score <= 1
    ):
        raise MediaError(
            f"{place} has a hand labelled {name!r} with a score of {score!r}, but Left or Right and 0 to 1 "
            f"were expected, one label for each hand; {_WRITE}."
        )
    return _SIDES[name], float(score)
