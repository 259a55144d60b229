"""The portrait's latents, beside the noised ones: added after conv_in, as further channels would be.

Absent:   nothing is added.
Source:   ours, for models too small to find the person through attention alone; see docs/decisions/0003
"""

from typing import Literal

import torch
from torch import nn

from ..backbone.conditions import Conditions
from ..backbone.ops import zero_init
from .conditioner import Conditioner, Place, Reader
from .values import REFERENCE, Drive, Encoded, Inputs, Missing, having


class ReferenceInput(Conditioner):
    """A convolution of the portrait's latents, which starts at zero."""

    kind: Literal["reference_input"] = "reference_input"

    def build(self, parts: nn.Module, place: Place) -> Reader:
        return _Reader(parts, place)


class _Reader(Reader):
    def __init__(self, parts: nn.Module, place: Place) -> None:
        channels = place.unet.latent_channels, place.unet.channels[0]
        parts.reference_input = self.convolve = zero_init(place.ops.Conv2d(*channels, 3, padding=1))

    def read(self, portrait: Inputs, so_far: Encoded) -> Inputs:
        return {"reference_input": self.convolve(portrait["latents"])}

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        added = reference["reference_input"]
        kept = torch.tensor(having(missing, REFERENCE), device=added.device)
        return conditions.plus(
            map_NCHW=(added * kept[:, None, None, None]).repeat_interleave(drive.frames, dim=0)
        )
