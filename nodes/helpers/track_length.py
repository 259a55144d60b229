"""The inputs that say how long a hand track is to be, the same on every node that has them."""

from typing import TYPE_CHECKING, Any

from ..bridge.api import io
from .rate import HIGHEST_FPS, LOWEST_FPS, usable_fps

if TYPE_CHECKING:
    from ...cyberhost_core.hands.track import HandTrack

HOLD = "hold last"
_WHEN_SHORT = [HOLD, "loop", "error"]  # the core's words; a schema must not import it


def frames_input() -> io.Int.Input:
    """Build the input for the number of frames."""
    return io.Int.Input(
        "frames",
        default=0,
        min=0,
        max=1_000_000,
        tooltip="Length of the result in frames, usually from Wav2Vec Audio Features: longer tracks are cut. "
        "0 keeps the track's length.",
    )


def when_short_input(**more: Any) -> io.Combo.Input:
    """Build the input for what to do with a track that is shorter."""
    return io.Combo.Input(
        "when_short",
        options=_WHEN_SHORT,
        default=HOLD,
        tooltip="What to do if the track is shorter: hold its last frame, loop it with a cross-fade, or "
        "stop with an error.",
        **more,
    )


def fps_input() -> io.Float.Input:
    """Build the input for the frame rate of the result."""
    return io.Float.Input(
        "fps",
        default=25.0,
        min=LOWEST_FPS,
        max=HIGHEST_FPS,
        step=0.01,
        tooltip="Frame rate of the result, in frames per second; a track with another rate is resampled, "
        "with a notice.",
    )


def brought_to(node: Any, track: "HandTrack", *, fps: float, frames: int, when_short: str) -> "HandTrack":
    """Bring a track to a rate and a length, and say on a running node that the rate was another.

    node: its class, which must list the hidden unique_id

    Raises:   ConfigError: a rate or a choice that cannot be; PoseError: too short, and "error" was chosen
    """
    from ...cyberhost_core.hands.track_length import at_rate
    from ..bridge.notice import notice

    fps = usable_fps(fps)
    if track.fps != fps:
        notice(node, f"The hand track has {track.fps:g} frames per second and was moved to {fps:g}.")
    return at_rate(track, fps, frames, when_short=when_short)
