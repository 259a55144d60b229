"""Hand tracks: hands over time, whatever drove them, and the file that carries them (CyberHost section 4.4).

video, file, keyframes, gestures made from sound -> HandTrack -> aligned to the reference person -> maps

The file is JSON, made to be read and written by other programs too; version 1:

    {"format": "cyberhost-hand-track-1",
     "fps": 25.0,                      frames per second
     "canvas": [96, 128],              width, height in px of the picture that the places are meant in
     "source": "where it comes from",  in words
     "frames": [{"left": [[x, y, score] x 21], "right": [...], "body": [[x, y, score] x 18]}, ...]}

Points are OpenPose's: a hand is its wrist, then four per finger from the thumb; the body has 18, of which
shoulders, elbows and wrists matter here. Left and right are the person's own. A part that a frame does not
show is null or left out; a point that is not seen has score 0. Keys that are not listed are ignored.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import bundled
from ..errors import MediaError, PoseError
from ..media.output import writing, written_whole
from ..types import BODY_POINTS, FACE_POINTS, HAND_POINTS, SEEN, Pose

FORMAT = "cyberhost-hand-track-1"
_POINTS = {"left": HAND_POINTS, "right": HAND_POINTS, "body": BODY_POINTS}
_GIVE = "give a file that Save Hand Track wrote"


@dataclass(frozen=True, eq=False)
class HandTrack:
    """Hold hands over time: every hand driver makes this, every consumer takes it.

    Units:    pose in px of its canvas, F frames at fps; source says in words where it comes from
    Raises:   PoseError: no frame shows a hand, a place is not a number, or the rate is not positive
    """

    pose: Pose
    fps: float
    source: str

    def __post_init__(self) -> None:
        points_FKC = hand_points(self.pose)
        if not np.isfinite(points_FKC).all() or not np.isfinite(self.pose.body_FKC).all():
            raise PoseError(
                f"The hand track from {self.source} holds places that are not numbers (NaN or infinity), but "
                "pixels were expected; detect or export it again."
            )
        if not (points_FKC[..., 2] >= SEEN).any():
            raise PoseError(
                f"The hand track from {self.source} shows no hand in any of its {len(self.pose)} frames, but "
                "at least one was expected; take a video in which the hands are visible."
            )
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise PoseError(
                f"The hand track from {self.source} has a rate of {self.fps} frames per second, but more "
                "than 0 was expected; state the rate of the video."
            )

    def __len__(self) -> int:
        return len(self.pose)


def hand_points(pose: Pose) -> np.ndarray:
    """Join both hands, left first: (F, 42, 3)."""
    return np.concatenate([pose.left_hand_FKC, pose.right_hand_FKC], axis=1)


def hand_tracks() -> list[Path]:
    """List the bundled tracks by name."""
    return sorted((bundled.FOLDER / "hand-tracks").glob("*.json"))


def save_hand_track(path: str | Path, track: HandTrack, *, decimals: int = 2) -> None:
    """Write a track, whole or not at all.

    Units:    decimals of a px that are kept
    Raises:   MediaError: the place takes no file
    """
    pose = track.pose
    parts = {"left": pose.left_hand_FKC, "right": pose.right_hand_FKC, "body": pose.body_FKC}
    frames = [
        {name: _rows(points_FKC[frame], decimals) for name, points_FKC in parts.items()}
        for frame in range(len(pose))
    ]
    head = {"format": FORMAT, "fps": track.fps, "canvas": [pose.width, pose.height], "source": track.source}
    with written_whole(path) as part, writing(path):
        part.write_text(_one_frame_per_line(head, frames), encoding="utf-8")


def load_hand_track(path: str | Path) -> HandTrack:
    """Read a track.

    Raises:   MediaError: no such file, not JSON, another format, wrong counts, values that are not numbers
              PoseError: no frame shows a hand
    """
    path = Path(path)
    content = _read(path)
    width, height = _canvas(content, path)
    frames = content.get("frames")
    if not isinstance(frames, list) or not frames:
        raise MediaError(f"{path} holds no list of frames, but at least one was expected; {_GIVE}.")
    parts = {name: _part(frames, name, path=path) for name in _POINTS}
    pose = Pose(
        body_FKC=parts["body"],
        face_FKC=np.zeros((len(frames), FACE_POINTS, 3), dtype=np.float32),
        left_hand_FKC=parts["left"],
        right_hand_FKC=parts["right"],
        height=height,
        width=width,
    )
    return HandTrack(pose, fps=_fps(content, path), source=str(content.get("source") or path.name))


def at_fps(track: HandTrack, fps: float) -> HandTrack:
    """Move a track to another frame rate: the middle of each new frame is looked up between two old ones.

    Where a point is not seen in both, it is taken from the nearer one as it is there.
    """
    frames = max(1, round(len(track) * fps / track.fps))
    place_F = ((np.arange(frames) + 0.5) * track.fps / fps - 0.5).clip(0, len(track) - 1)
    before = np.floor(place_F).astype(int)
    after = np.minimum(before + 1, len(track) - 1)
    share_F = (place_F - before).astype(np.float32)[:, None, None]
    packed_FKC = track.pose.packed_FKC()
    first, second = packed_FKC[before], packed_FKC[after]
    both = (first[..., 2:] >= SEEN) & (second[..., 2:] >= SEEN)
    between = np.where(both, (1 - share_F) * first + share_F * second, np.where(share_F < 0.5, first, second))
    return replace(track, pose=_repacked(between, like=track.pose), fps=fps)


def with_length(track: HandTrack, frames: int) -> HandTrack:
    """Cut a track to a number of frames, or hold its last one."""
    packed_FKC = track.pose.packed_FKC()[np.minimum(np.arange(frames), len(track) - 1)]
    return replace(track, pose=_repacked(packed_FKC, like=track.pose))


def _repacked(packed_FKC: np.ndarray, *, like: Pose) -> Pose:
    return Pose.from_packed(packed_FKC.astype(np.float32), height=like.height, width=like.width)


def _rows(points_KC: np.ndarray, decimals: int) -> list[list[float]] | None:
    if not (points_KC[:, 2] > 0).any():
        return None
    return [[round(float(value), decimals) for value in row] for row in points_KC]


def _one_frame_per_line(head: dict[str, Any], frames: Iterable[dict[str, Any]]) -> str:
    lines = ",\n".join(json.dumps(frame, separators=(",", ":"), allow_nan=False) for frame in frames)
    return f'{json.dumps(head, allow_nan=False)[:-1]}, "frames": [\n{lines}\n]}}\n'


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MediaError(f"There is no hand track file {path}; check the path.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MediaError(f"{path} cannot be read as JSON ({error}), as hand tracks are; {_GIVE}.") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise MediaError(
            f"{path} is no hand track: its format is {found!r}, but {FORMAT!r} was expected; {_GIVE}."
        )
    return content


def _canvas(content: dict[str, Any], path: Path) -> tuple[int, int]:
    canvas = content.get("canvas")
    sides = canvas if isinstance(canvas, list) else []
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise MediaError(
            f"{path} has the canvas {canvas!r}, but [width, height] in whole pixels was expected; {_GIVE}."
        )
    return sides[0], sides[1]


def _fps(content: dict[str, Any], path: Path) -> float:
    fps = content.get("fps")
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps < float("inf"):
        raise MediaError(
            f"{path} has the rate {fps!r}, but frames per second above 0 were expected; {_GIVE}."
        )
    return float(fps)


def _part(frames: list[Any], name: str, *, path: Path) -> np.ndarray:
    """Read one part of every frame, zeros where it is null."""
    points_FKC = np.zeros((len(frames), _POINTS[name], 3), dtype=np.float32)
    for number, frame in enumerate(frames):
        rows = frame.get(name) if isinstance(frame, dict) else frame
        if rows is not None:
            points_FKC[number] = _points(rows, f"{path}, frame {number}, '{name}',", count=_POINTS[name])
    return points_FKC


def _points(rows: Any, place: str, *, count: int) -> np.ndarray:
    try:
        points_KC = np.array(rows, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise MediaError(f"{place} holds something else than rows of numbers; {_GIVE}.") from error
    if points_KC.shape != (count, 3):
        raise MediaError(
            f"{place} has the shape {list(points_KC.shape)}, but {count} points [x, y, score] were expected; "
            f"{_GIVE}."
        )
    if not np.isfinite(points_KC).all():
        raise MediaError(f"{place} holds values that are not numbers, but pixels were expected; {_GIVE}.")
    return points_KC
