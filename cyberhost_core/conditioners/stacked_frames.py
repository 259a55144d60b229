"""Clean frames along time before the noisy ones: the portrait, and the last frame of the segment before.

portrait's latents, last frame's latents -> [portrait | first frame | noisy frames], one clip for the U-Net
Absent:   an empty frame stands for the portrait; without a frame before, the portrait alone.
Source:   PAHA section 4.1.1 (the merged feature of t + 1 frames), appendix B.4.1 (random noise, or a first
          frame)
"""

from typing import Literal

import torch
from torch import Tensor

from ..backbone.conditions import Conditions
from .conditioner import Conditioner, Place, Reader
from .values import REFERENCE, Drive, Encoded, Inputs, Missing, choose, having

_FIRST = "first_frame"


class StackedFrames(Conditioner):
    """portrait, first_frame: which of them stand there.

    It is listed last, because all that has a value per frame must know of these frames.
    """

    kind: Literal["stacked_frames"] = "stacked_frames"
    portrait: bool = True
    first_frame: bool = True

    @property
    def past_frames(self) -> int:
        return int(self.first_frame)

    def build(self, parts: torch.nn.Module, place: Place) -> Reader:
        del parts, place  # it has no weights: the U-Net itself reads these frames
        return _Reader(self)


class _Reader(Reader):
    def __init__(self, config: StackedFrames) -> None:
        self.portrait = config.portrait

    def follow(self, past_BMCHW: Tensor, reference: Encoded) -> Inputs:
        return {_FIRST: past_BMCHW[:, -1]}

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        stacked = []
        if self.portrait:
            latents_BCHW = reference["latents"].expand(drive.clips, -1, -1, -1)
            rows = having(missing, REFERENCE)
            stacked.append(choose(rows, latents_BCHW, torch.zeros_like(latents_BCHW)))
        if _FIRST in drive.motion:
            stacked.append(drive.motion[_FIRST].expand(drive.clips, -1, -1, -1))
        return conditions.opened_by(torch.stack(stacked, dim=1)) if stacked else conditions
