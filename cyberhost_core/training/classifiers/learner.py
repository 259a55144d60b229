"""Teach both classifiers: noised clips, masked by chance -> logits -> cross-entropy (PAHA equation 7)."""

import torch
from torch import Tensor
from torch.nn import functional as nnf

from ...backbone.conditions import Conditions
from ...backbone.part_classifier import PartClassifier, PartClassifiers
from ...diffusion.schedule import NoiseSchedule
from ...guidance.step import FACE, PARTS, Part
from ...systems.encoders import Encoders
from ..trainer import Learner
from .batches import ClassifierBatch


class ClassifierLearner(Learner[PartClassifiers]):
    """Compute the losses of a batch; what reads portrait and sound is the system's own, and stays so."""

    def __init__(
        self, model: PartClassifiers, encoders: Encoders, schedule: NoiseSchedule, *, masked: float
    ) -> None:
        super().__init__()
        self.model, self.schedule, self.masked = model, schedule, masked
        self.encoders = encoders.requires_grad_(False)

    def forward(self, batch: ClassifierBatch) -> dict[str, Tensor]:
        alone = batch.chance < self.masked
        noised = self.schedule.add_noise(batch.latents, batch.noise, batch.timestep)
        told = conditions_of(self.encoders, batch)
        losses = {}
        for part in PARTS:
            logits = asked(self.model.of(part), part, noised, batch, told=told, alone=alone)
            losses[part] = nnf.binary_cross_entropy_with_logits(logits.float(), batch.label)
        return losses


@torch.no_grad()
def conditions_of(encoders: Encoders, batch: ClassifierBatch) -> Conditions:
    """Join what the windows of a batch are told, as the full pass is."""
    return encoders.conditions(encoders.read(batch.portrait), batch.driven()).without_memo()


def asked(  # noqa: PLR0917
    classifier: PartClassifier,
    part: Part,
    noised: Tensor,
    batch: ClassifierBatch,
    *,
    told: Conditions,
    alone: Tensor,
) -> Tensor:
    """Ask a classifier about noised clips; alone: which of them show its part and nothing else.

    Shapes:   noised as batch.latents; alone (N,) bool -> logits (N,)
    """
    area = batch.face if part == FACE else 1 - batch.face
    shown = torch.where(alone.view(-1, 1, 1, 1, 1), noised * area, noised)
    timestep = batch.timestep.float().repeat_interleave(batch.windows)
    return classifier(shown.flatten(0, 1), timestep, told, windows=batch.windows)
