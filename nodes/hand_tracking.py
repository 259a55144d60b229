"""Hand tracks between ComfyUI's values and the core's."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..cyberhost_core.conditions.hand_alignment import align_track
from ..cyberhost_core.conditions.hand_track import HandTrack, at_fps, with_length
from ..cyberhost_core.conditions.skeleton_map import draw_hands_on
from ..cyberhost_core.types import Pose
from .poses import pose_on

OVERLAY_FRAMES = 16  # spread over the track: enough to judge the fit, and memory does not grow with length


def track_of_video(
    images_FYXC: Tensor, keypoints: list[dict[str, Any]], *, fps: float, person: int
) -> HandTrack:
    """Take one person's hands and body from the poses of a video, on the canvas of its frames.

    Raises:   PoseError: poses of another number of frames, nobody there, no hand in any frame
    """
    pose = pose_on(images_FYXC.cpu().numpy(), keypoints, person=person)
    return HandTrack(pose, fps=fps, source=f"a video of {len(pose)} frames")


def aligned(
    track: HandTrack,
    reference: Pose,
    *,
    fps: float,
    frames: int,
    scale: float,
    offset_frac: tuple[float, float],
) -> HandTrack:
    """Fit a track to the reference person, move it to a frame rate, and cut it or hold its last frame.

    Units:    frames 0 keeps the track's own length; offset_frac: of the reference's width and height
    Raises:   PoseError: nothing to fit by
    """
    offset_px = (offset_frac[0] * reference.width, offset_frac[1] * reference.height)
    fitted = at_fps(align_track(track, reference, scale=scale, offset_px=offset_px), fps)
    return with_length(fitted, frames) if frames else fitted


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
