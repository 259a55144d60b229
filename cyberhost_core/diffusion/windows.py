"""Whole-clip sampling of clips longer than the network's window.

All frames keep one noise level. In every step the network predicts each window on its own, and a frame takes
the mean of the windows that hold it:

    30 frames, size 12, overlap 3      0-11   9-20   18-29   27-29 and 0-8
    one step later, moved by 3         3-14  12-23   21-29 and 0-2   0-11

The loop is closed: the last window goes on with the clip's first frames. Moving the windows from step to step
keeps their borders from showing.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ..errors import ConfigError

Window = tuple[int, ...]


def windows(frames: int, *, size: int = 12, overlap: int = 3, shift: int = 0) -> list[Window]:
    """Cut a clip into windows that overlap; each lists its frames in the order that the network sees.

    A clip that fits into one window is one window.

    Units:    shift: frames by which all windows are moved; step_index x overlap for windows that rotate
    Raises:   ConfigError: the overlap leaves a window nothing of its own
    Source:   EchoMimicV2 (arXiv 2411.10061), public code: 12 / 3, rotating; Moore-AnimateAnyone, public code:
              24 / 4, fixed
    Reads:    a clip of one window rotates, too: its first frame then need not come first
    Departs:  windows of every second or fourth frame (context_stride above 1) are left out; neither uses them
    """
    if not 0 <= overlap < size:
        raise ConfigError(
            f"Windows of {size} frames are to overlap by {overlap}, but 0 to {size - 1} was expected; "
            "lower the overlap."
        )
    length = min(size, frames)
    starts = range(0, frames, size - overlap) if frames > size else (0,)
    return [tuple((start + shift + place) % frames for place in range(length)) for start in starts]


def average(predictions: Iterable[Tensor], *, over: Sequence[Window], frames: int) -> Tensor:
    """Give every frame the mean of what the windows that hold it predict.

    Predictions may be made while they are asked for: one is held at a time, beside the sum.

    Shapes:   predictions (size, ...) each, one for each window of `over`; result (frames, ...)
    """
    total, count = torch.empty(0), torch.zeros(frames)
    for prediction, window in zip(predictions, over, strict=True):
        if not len(total):
            total = prediction.new_zeros(frames, *prediction.shape[1:])
        total[list(window)] += prediction
        count[list(window)] += 1
    return total / count.to(total).reshape(-1, *[1] * (total.ndim - 1))
