"""The denoiser under a guidance: all passes of a step in one batch, then their sum.

x_t -> repeated per pass -> denoiser(conditions of all passes, joined) -> combined
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..backbone.conditions import Conditions, Memo, join
from ..conditioners.values import Drive, Encoded
from ..guidance.guidance import Guidance, Pass
from ..systems.model import SystemModel

Memos = dict[tuple[Pass, ...], Memo]


@dataclass(frozen=True)
class Moment:
    """Where sampling stands.

    Units:    timestep: of training, 0..999; number of the step, from 0; noise: sigma_t, 0..1
    """

    timestep: Tensor
    number: int
    noise: float


def place_of(model: SystemModel) -> tuple[torch.device, torch.dtype]:
    """Say where a model computes, and in what precision."""
    weight = model.denoiser.conv_in.weight
    return weight.device, weight.dtype


class GuidedNetwork:
    """Predict for the frames of one segment.

    Conditions are encoded once per segment and set of passes. memos: what no frame changes is computed once
    for all networks that are given the same.
    """

    def __init__(  # noqa: PLR0917 - read in the order in which they are made
        self,
        model: SystemModel,
        reference: Encoded,
        drive: Drive,
        guidance: Guidance,
        *,
        memos: Memos | None = None,
    ) -> None:
        self.model, self.guidance = model, guidance
        self.device, self.dtype = place_of(model)
        self.reference = reference.to(self.device, self.dtype)
        self.drive = replace(drive, device=self.device, dtype=self.dtype)
        self.memos = {} if memos is None else memos
        self._joined: dict[tuple[Pass, ...], Conditions] = {}

    def __call__(self, x_FCHW: Tensor, moment: Moment) -> Tensor:
        """Give the guided prediction, float32 where x is."""
        passes = tuple(self.guidance.weights(moment.noise))
        conditions = self.conditions(passes)
        rows = x_FCHW.to(self.device, self.dtype).repeat(len(passes), 1, 1, 1)
        timestep_B = moment.timestep.float().to(self.device).expand(len(passes))
        predicted = self.model.denoiser(rows, timestep_B, conditions).to(x_FCHW.dtype)
        by_pass = dict(zip(passes, predicted.chunk(len(passes)), strict=True))
        return self.guidance.combine(by_pass, moment.noise)

    def conditions(self, passes: tuple[Pass, ...]) -> Conditions:
        """Join the conditions of some passes."""
        if passes not in self._joined:
            each = [
                self.model.conditions(self.reference, self.drive, missing=(seen.without,) * self.drive.clips)
                for seen in passes
            ]
            self._joined[passes] = replace(join(each), clip_memo=self.memos.setdefault(passes, {}))
        return self._joined[passes]
