"""Seams: does the picture jump where one segment ends and the next begins?

frames   0 .. kept-1 | kept .. 2 kept-1 | ...      | = a join of two segments
difference across the joins / difference inside the segments = ratio
"""

import numpy as np

from ..errors import ConfigError

_STILL = 0.01  # grey levels, far below any motion: keeps the ratio finite when nothing moves


def seam_ratio(frames_FYXC: np.ndarray, *, kept: int) -> float:
    """Compare the jump at segment joins with the motion inside segments.

    Shapes:   frames_FYXC (F, Y, X, 3) uint8, F above kept; kept frames come from each segment
    Units:    ratio of mean absolute differences between neighbouring frames; 1: joins do not show, above:
              they do; a clip that stands still has 1
    Raises:   ConfigError: no join, or no inside, lies within the frames
    Source:   ours
    """
    frames = len(frames_FYXC)
    if not 2 <= kept < frames:
        raise ConfigError(
            f"A seam was asked for in {frames} frames of segments of {kept}; give at least 2 frames per "
            "segment, and more frames than one segment has."
        )
    difference = np.abs(np.diff(frames_FYXC.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))
    at_join = np.arange(1, frames) % kept == 0
    inside, across = difference[~at_join].mean(), difference[at_join].mean()
    return float((across + _STILL) / (inside + _STILL))
