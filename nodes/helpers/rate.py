"""The one range of frame rates that every node takes."""

import math

LOWEST_FPS, HIGHEST_FPS = 1.0, 120.0


def usable_fps(fps: float) -> float:
    """Check a frame rate that may have come over a wire, past the widget's own range.

    Raises:   ConfigError: outside 1..120
    """
    from ...cyberhost_core.errors import ConfigError

    if not (math.isfinite(fps) and LOWEST_FPS <= fps <= HIGHEST_FPS):
        raise ConfigError(
            f"The frame rate is {fps:g} frames per second, but {LOWEST_FPS:g} to {HIGHEST_FPS:g} was "
            "expected; 25 is what the system was trained at."
        )
    return float(fps)
