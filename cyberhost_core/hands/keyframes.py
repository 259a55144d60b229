"""A hand driver for who poses hands by hand: a few poses, the times they are struck at, and the way between.

poses of keyframes --hand_fit, each on its own--> parameters --mixed along the times, eased--> HandTrack
"""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np

from ..errors import ConfigError
from ..types import Pose
from .fit import Progress, fitted_parameters
from .mixing import mixed
from .poses import pose_from_parameters
from .track import HandTrack, mixed_pose

Easing = Literal["smooth", "even", "hold"]
_EASED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "smooth": lambda share: share * share * (3 - 2 * share),  # starts and ends at rest
    "even": lambda share: share,
    "hold": np.zeros_like,
}
EASINGS = tuple(_EASED)
# A fit draws each frame to those beside it. With as many copies on both sides as it has rounds, the middle
# one is drawn to nothing but itself.
_COPIES = 8
_HAND_PARTS = ("left_hand_FKC", "right_hand_FKC")


def numbers_from_text(text: str, *, what: str) -> list[float]:
    """Read numbers that are separated by commas, spaces or new lines.

    Raises:   ConfigError: something else is among them; `what` names them in the sentence ("keyframe times")
    """
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    try:
        found = [float(word) for word in words]
    except ValueError:
        found = [float("nan")]
    if not all(np.isfinite(found)):
        raise ConfigError(
            f"'{text.strip()}' came as {what}, but numbers separated by commas were expected; "
            "write them like 0, 0.8, 2."
        )
    return found


def track_of_keyframes(
    poses: Pose,
    times_secs: list[float],
    *,
    fps: float,
    easing: str = "smooth",
    progress: Progress | None = None,
) -> HandTrack:
    """Move hands from keyframe to keyframe: turns the shorter way, places in a line.

    A hand that a keyframe does not show is taken from the nearer of two keyframes, there or not.

    Shapes:   poses of K keyframes; result until the frame of the last keyframe
    Units:    times in seconds from the track's beginning, rising; the first pose is held until its time
    Raises:   ConfigError: another number of times than poses, times that do not rise, an unknown easing
              PoseError: no keyframe shows enough of a hand
    """
    _check(len(poses), times_secs, easing=easing)
    source = f"{len(poses)} keyframes"
    copied = np.repeat(np.arange(len(poses)), 2 * _COPIES + 1)
    fitted = fitted_parameters(poses[copied], fps=fps, source=source, progress=progress)
    keys = fitted[np.arange(len(poses)) * (2 * _COPIES + 1) + _COPIES]
    times = np.array(times_secs)
    now_F = np.arange(int(np.ceil(times[-1] * fps - 1e-6)) + 1) / fps
    after_F = np.searchsorted(times, now_F + 1e-6 / fps, side="right").clip(1, max(len(times) - 1, 1))
    after_F = np.minimum(after_F, len(times) - 1)
    before_F = np.maximum(after_F - 1, 0)
    span_F = np.maximum(times[after_F] - times[before_F], 1e-9)
    share_F = ((now_F - times[before_F]) / span_F).clip(0, 1)
    share_F = np.where(share_F < 1, _EASED[easing](share_F), 1.0)
    parameters = mixed(keys[before_F], keys[after_F], share_F)
    body = mixed_pose(poses[before_F], poses[after_F], share_F)
    hands = pose_from_parameters(parameters, height=poses.height, width=poses.width)
    parts = {name: getattr(hands, name) for name in _HAND_PARTS}
    return HandTrack(replace(body, **parts), fps=fps, source=source, parameters=parameters)


def _check(poses: int, times_secs: list[float], *, easing: str) -> None:
    if easing not in _EASED:
        raise ConfigError(
            f"The easing '{easing}' came, but one of {', '.join(_EASED)} was expected; choose one."
        )
    if len(times_secs) != poses:
        raise ConfigError(
            f"{len(times_secs)} keyframe times came for {poses} poses, but one time per pose was expected; "
            "add or take away times, or choose which poses to use."
        )
    rising = all(one < two for one, two in pairwise(times_secs))
    if not rising or times_secs[0] < 0:
        told = ", ".join(f"{time:g}" for time in times_secs)
        raise ConfigError(
            f"The keyframe times are {told}, but seconds from 0 on were expected, each later than the one "
            "before; put them into order."
        )
