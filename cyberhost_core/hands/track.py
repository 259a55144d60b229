"""Hand tracks: hands over time, whatever drove them, and the file that carries them (CyberHost section 4.4).

    video, file, keyframes, gestures made from sound -> HandTrack -> aligned to the reference person -> maps

A track always has keypoints, and hand parameters (EMO2's 134 numbers) where its driver knows them. Its file
is JSON or safetensors, made to be read and written by other programs too: docs/hand-tracks.md.

Points are OpenPose's: a hand is its wrist, then four per finger from the thumb; the body has 18, of which
shoulders, elbows and wrists matter here. Left and right are the person's own.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import bundled
from ..errors import MediaError, PoseError
from ..media.output import writing, written_whole
from ..types import FACE_POINTS, SEEN, Pose
from ..units import between_frames
from .conventions import NOTHING_TOLD, Conventions
from .mixing import mixed
from .parameters import HandParameters
from .poses import with_hands_filled
from .track_content import TrackContent
from .track_json import parsed_json, read_json, write_json
from .track_mediapipe import is_mediapipe, read_mediapipe
from .track_npz import read_npz
from .track_tensors import read_tensors, write_tensors

_TENSORS, _ARRAYS = ".safetensors", ".npz"


@dataclass(frozen=True, eq=False)
class HandTrack:
    """Hold hands over time: every hand driver makes this, every consumer takes it.

    Units:    pose in px of its canvas, F frames at fps; source says in words where it comes from; parameters
              of the same frames, None where the driver knows keypoints alone
    Raises:   PoseError: no frame shows a hand, a place is not a number, the rate is not positive, or pose and
              parameters differ in length or rate
    """

    pose: Pose
    fps: float
    source: str
    parameters: HandParameters | None = None

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
        made = self.parameters
        if made is not None and (len(made) != len(self.pose) or made.fps != self.fps):
            raise PoseError(
                f"The hand track from {self.source} has {len(self.pose)} frames at {self.fps:g} per second, "
                f"but parameters of {len(made)} at {made.fps:g}; bring both to one length and rate first."
            )

    def __len__(self) -> int:
        return len(self.pose)

    def __getitem__(self, frames: slice | np.ndarray) -> "HandTrack":
        """Cut out frames; takes slices or index arrays, so that F stays an axis.

        Raises:   PoseError: none of these frames shows a hand
        """
        made = self.parameters
        return replace(self, pose=self.pose[frames], parameters=None if made is None else made[frames])


def hand_points(pose: Pose) -> np.ndarray:
    """Join both hands, left first: (F, 42, 3)."""
    return np.concatenate([pose.left_hand_FKC, pose.right_hand_FKC], axis=1)


def hand_tracks() -> list[Path]:
    """List the bundled tracks by name."""
    return sorted((bundled.FOLDER / "hand-tracks").glob("*.json"))


def save_hand_track(path: str | Path, track: HandTrack, *, decimals: int = 2) -> None:
    """Write a track, whole or not at all: safetensors where the name ends so, JSON otherwise.

    Units:    decimals of a px that JSON keeps
    Raises:   MediaError: the place takes no file
    """
    pose = track.pose
    points = {"left": pose.left_hand_FKC, "right": pose.right_hand_FKC, "body": pose.body_FKC}
    content = TrackContent(
        points,
        track.parameters,
        fps=track.fps,
        width=pose.width,
        height=pose.height,
        source=track.source,
    )
    with written_whole(path) as part, writing(path):
        if Path(path).suffix == _TENSORS:
            write_tensors(part, content)
        else:
            write_json(part, content, decimals=decimals)


def load_hand_track(path: str | Path, told: Conventions = NOTHING_TOLD) -> HandTrack:
    """Read a track; a hand that a frame has as parameters alone gets its keypoints from them.

    told: what a file of another program leaves open (npz of SMPL-X or MANO, MediaPipe's landmarks)

    Raises:   MediaError: no such file, damaged, another format, wrong counts, values that are not numbers
              PoseError: no frame shows a hand; ConfigError: what is to be told was not, or is told in vain
    """
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"There is no hand track file {path}; check the path.")
    content = _content(path, told)
    frames = len(content.points["body"])
    pose = Pose(
        body_FKC=content.points["body"],
        face_FKC=np.zeros((frames, FACE_POINTS, 3), dtype=np.float32),
        left_hand_FKC=content.points["left"],
        right_hand_FKC=content.points["right"],
        height=content.height,
        width=content.width,
    )
    made = content.parameters
    pose = pose if made is None else with_hands_filled(pose, made)
    return HandTrack(pose, fps=content.fps, source=content.source, parameters=made)


def _content(path: Path, told: Conventions) -> TrackContent:
    if path.suffix == _ARRAYS:
        return read_npz(path, told)
    if path.suffix == _TENSORS:
        told.require_use(path, uses=())
        return read_tensors(path)
    content = parsed_json(path)
    if is_mediapipe(content):
        return read_mediapipe(content, path, told)
    told.require_use(path, uses=())
    return read_json(content, path)


def at_fps(track: HandTrack, fps: float) -> HandTrack:
    """Move a track to another frame rate: the middle of each new frame is looked up between two old ones.

    Where a point is not seen in both, it is taken from the nearer one as it is there.
    """
    before, after, share_F = between_frames(
        len(track), fps=track.fps, new_fps=fps, frames=max(1, round(len(track) * fps / track.fps))
    )
    made = track.parameters
    between = None if made is None else replace(mixed(made[before], made[after], share_F), fps=fps)
    pose = pose_at_fps(track.pose, track.fps, fps)
    return replace(track, pose=pose, fps=fps, parameters=between)


def pose_at_fps(pose: Pose, fps: float, new_fps: float) -> Pose:
    """Move keypoints alone to another frame rate, as at_fps does."""
    if fps == new_fps:
        return pose
    before, after, share_F = between_frames(
        len(pose), fps=fps, new_fps=new_fps, frames=max(1, round(len(pose) * new_fps / fps))
    )
    return mixed_pose(pose[before], pose[after], share_F)


def mixed_pose(first: Pose, second: Pose, share_F: np.ndarray) -> Pose:
    """Go a share of the way from the points of one pose to those of another, on one canvas.

    Where a point is not seen in both, it is taken from the nearer one as it is there.

    Shapes:   share_F (F,)
    Units:    share 0 gives first, 1 gives second
    """
    share = share_F.astype(np.float32)[:, None, None]
    one, two = first.packed_FKC(), second.packed_FKC()
    both = (one[..., 2:] >= SEEN) & (two[..., 2:] >= SEEN)
    packed_FKC = np.where(both, (1 - share) * one + share * two, np.where(share < 0.5, one, two))
    return Pose.from_packed(packed_FKC.astype(np.float32), height=first.height, width=first.width)


def with_length(track: HandTrack, frames: int) -> HandTrack:
    """Cut a track to a number of frames, or hold its last one."""
    return track[np.minimum(np.arange(frames), len(track) - 1)]
