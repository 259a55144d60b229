"""How long a hand track lasts: cut where it is too long, and where it is too short what the user chose."""

from typing import Literal

import numpy as np

from ..errors import ConfigError, PoseError
from .track import HandTrack, at_fps, with_length
from .track_operations import looped

WhenShort = Literal["hold last", "loop", "error"]
WHEN_SHORT: tuple[WhenShort, ...] = ("hold last", "loop", "error")
_FADE_SECS = 0.2  # where a loop begins again


def lasting(track: HandTrack, frames: int, *, when_short: str = "hold last") -> HandTrack:
    """Bring a track to a number of frames.

    Units:    frames 0 keeps the track's own; when_short: hold the last frame, loop with a cross-fade of
              0.2 s, or refuse
    Raises:   PoseError: the track is shorter and "error" was chosen; ConfigError: no such choice, below 0
    """
    if when_short not in WHEN_SHORT or frames < 0:
        raise ConfigError(
            f"{frames} frames and '{when_short}' were asked for, but 0 frames or more and one of "
            f"{', '.join(WHEN_SHORT)} were expected; choose one of them."
        )
    if not frames or frames == len(track):
        return track
    if frames < len(track) or when_short == "hold last" or (when_short == "loop" and len(track) == 1):
        return with_length(track, frames)
    if when_short == "error":
        raise PoseError(
            f"The hand track from {track.source} has {len(track)} frames "
            f"({len(track) / track.fps:.2f} s at {track.fps:g} per second), but {frames} were expected; take "
            "a longer track, or choose to loop it or to hold its last frame."
        )
    return looped(track, frames, fade_frames=min(round(_FADE_SECS * track.fps), (len(track) - 1) // 3))


def at_rate(track: HandTrack, fps: float, frames: int, *, when_short: str = "hold last") -> HandTrack:
    """Bring a track to a frame rate, then to a number of frames.

    Raises:   see lasting
    """
    return lasting(track if track.fps == fps else at_fps(track, fps), frames, when_short=when_short)


def between_secs(track: HandTrack, start_secs: float, end_secs: float) -> HandTrack:
    """Keep what lies between two times.

    Units:    seconds; end 0 keeps everything from start on
    Raises:   PoseError: that part has no frame, or goes beyond the track
    """
    length_secs = len(track) / track.fps
    first = round(start_secs * track.fps)
    last = round(end_secs * track.fps) if end_secs else len(track)
    if not 0 <= first < last <= len(track):
        raise PoseError(
            f"{start_secs:g} s to {end_secs or length_secs:g} s of the hand track from {track.source} was "
            f"asked for, but it lasts {length_secs:.2f} s; choose a start before the end, both within it."
        )
    return track[np.arange(first, last)]
