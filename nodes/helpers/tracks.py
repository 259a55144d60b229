"""Hand tracks between ComfyUI's values and the core's."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...cyberhost_core.controls.skeleton_map import draw_hands_on
from ...cyberhost_core.errors import ConfigError
from ...cyberhost_core.hands.alignment import align_track
from ...cyberhost_core.hands.keyframes import numbers_from_text, track_of_keyframes
from ...cyberhost_core.hands.track import HandTrack
from ...cyberhost_core.hands.track_length import at_rate
from ...cyberhost_core.types import Pose
from ..bridge.progress import counted_steps
from .poses import pose_of, pose_on

OVERLAY_FRAMES = 16  # spread over the track: enough to judge the fit, and memory does not grow with length


def track_of_video(
    images_FYXC: Tensor, keypoints: list[dict[str, Any]], *, fps: float, person: int
) -> HandTrack:
    """Take one person's hands and body from the poses of a video, on the canvas of its frames.

    Raises:   PoseError: poses of another number of frames, nobody there, no hand in any frame
    """
    pose = pose_on(images_FYXC.cpu().numpy(), keypoints, person=person)
    return HandTrack(pose, fps=fps, source=f"a video of {len(pose)} frames")


def track_from_keyframes(
    keypoints: list[dict[str, Any]], *, person: int, which: str, times: str, easing: str, fps: float
) -> HandTrack:
    """Move one person's hands from pose to pose.

    Units:    which: numbers of poses from 0 on, all where there are none; times in seconds

    Raises:   ConfigError: no numbers, a pose that is not there, or another number of times than poses
              PoseError: see pose_from_keypoints; no keyframe shows enough of a hand
    """
    pose = pose_of(keypoints, person)
    chosen = numbers_from_text(which, what="numbers of poses") or list(range(len(pose)))
    absent = [number for number in chosen if number not in range(len(pose))]
    if absent:
        raise ConfigError(
            f"Pose {absent[0]:g} was chosen as a keyframe, but there are poses 0 to {len(pose) - 1}; choose "
            "among them."
        )
    times_secs = numbers_from_text(times, what="keyframe times")
    keys = pose[np.array(chosen, dtype=int)]
    return track_of_keyframes(keys, times_secs, fps=fps, easing=easing, progress=counted_steps())


def aligned(
    track: HandTrack,
    reference: Pose,
    *,
    fps: float,
    frames: int,
    scale: float,
    offset_frac: tuple[float, float],
    when_short: str,
) -> HandTrack:
    """Fit a track to the reference person, and bring it to a frame rate and a length.

    Units:    frames 0 keeps the track's own length; offset_frac: of the reference's width and height
    Raises:   PoseError: nothing to fit by, or too short and "error" was chosen
    """
    offset_px = (offset_frac[0] * reference.width, offset_frac[1] * reference.height)
    fitted = align_track(track, reference, scale=scale, offset_px=offset_px)
    return at_rate(fitted, fps, frames, when_short=when_short)


def overlay(track: HandTrack, picture_YXC: np.ndarray) -> Tensor:
    """Draw the hands over the reference picture, for frames spread evenly over the track.

    Shapes:   picture_YXC (Y, X, 3) uint8, the track's canvas; result (up to 16, Y, X, 3) float32
    Units:    0..1
    """
    shown = np.linspace(0, len(track) - 1, min(len(track), OVERLAY_FRAMES)).round().astype(int)
    packed_FKC = track.pose.packed_FKC()[shown]
    pose = Pose.from_packed(packed_FKC, height=track.pose.height, width=track.pose.width)
    picture_CYX = torch.from_numpy(picture_YXC.copy()).permute(2, 0, 1).float() / 255
    return draw_hands_on(picture_CYX, pose).permute(0, 2, 3, 1).contiguous()
