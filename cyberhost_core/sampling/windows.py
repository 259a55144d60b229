"""A long video as windows: in every step each window is predicted alone, and where they overlap, averaged.

Source: AnimateDiff-Evolved's context windows, as Moore-AnimateAnyone and EchoMimicV2 use them; see
        diffusion.windows for how a step is cut.
"""

from collections.abc import Callable

from torch import Tensor

from ..diffusion.windows import Window, average, windows
from ..systems.spec import SlidingWindowsSpec


def over_windows(
    long: SlidingWindowsSpec, predict: Callable[[Window], Tensor], *, frames: int, step: int
) -> Tensor:
    """Predict window by window and give every frame the mean.

    Shapes:   predict: a window's frames -> (size, ...); result (frames, ...)
    """
    found = cut(long, frames=frames, step=step)
    return average(map(predict, found), over=found, frames=frames)


def cut(long: SlidingWindowsSpec, *, frames: int, step: int) -> list[Window]:
    """Cut a step into windows."""
    shift = step * long.overlap if long.rotating else 0
    return windows(frames, size=long.frames, overlap=long.overlap, shift=shift)
