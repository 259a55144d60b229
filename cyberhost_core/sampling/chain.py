"""A long video as a chain: segments of some frames, each shown the last finished frames of the one before.

    opening frames -> segment 0 -> kept frames -> the last of them -> segment 1 -> ...

Source: CyberHost section 3.1 and 4.1 (12 frames, 4 motion frames); Hallo (the reference picture stands for
        the frames before the first segment).
Departs:  `kept` may be smaller than the segment: the last frames, which have no future to lean on, are then
          made again by the next segment; `pinned` frames of the segment before may open the next, unchanged.
          Frames are shown as the sampled latents themselves, where Hallo decodes and encodes them again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..systems.spec import LongVideoSpec, SystemSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Segment:
    """Say what is to be sampled: number of count, the absolute frames, what comes before, what is given.

    Shapes:   past_MCHW the frames before, M = 0 for none; pinned_PCHW frames that open it as they are
    """

    number: int
    count: int
    frames: range
    past_MCHW: Tensor
    pinned_PCHW: Tensor


def chain(
    spec: SystemSpec,
    long: LongVideoSpec,
    *,
    frames: int,
    opening_MCHW: Tensor,
    sample: Callable[[Segment], Tensor],
) -> Iterator[Tensor]:
    """Yield the kept frames of each segment; memory does not grow with length.

    Shapes:   sample: segment -> (len(segment.frames), C, h, w); each item (kept or fewer, C, h, w)
    """
    count = -(-frames // long.kept)
    past = opening_MCHW  # as much of what is done as the next segment needs
    for number in range(count):
        pinned = past[len(past) - min(long.pinned, len(past)) :] if number else past[:0]
        first = number * long.kept - len(pinned)
        unpinned = past[: len(past) - len(pinned)]
        latents = sample(
            Segment(
                number=number,
                count=count,
                frames=range(first, first + long.frames),
                past_MCHW=unpinned[len(unpinned) - min(spec.past_frames, len(unpinned)) :],
                pinned_PCHW=pinned,
            )
        )
        new = latents[len(pinned) :][: min(long.kept, frames - number * long.kept)]
        yield new
        finished = torch.cat([past, new])
        past = finished[len(finished) - min(spec.past_frames + long.pinned, len(finished)) :]


def opening_frames(spec: SystemSpec, latents_1CHW: Tensor) -> Tensor:
    """What stands for the frames before the first segment, (M, C, h, w); none for most systems."""
    opening = getattr(spec.long_video, "opening", "nothing")
    return latents_1CHW[:1].expand(spec.past_frames if opening == "reference" else 0, -1, -1, -1)
