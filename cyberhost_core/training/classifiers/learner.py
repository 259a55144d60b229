"""Teach both classifiers: noised clips, masked by chance -> logits -> cross-entropy (PAHA equation 7).

A classifier that compares picture and sound learns that from real clips alone, beside other moments' sounds.
"""

import torch
from torch import Tensor
from torch.nn import functional as nnf

from ...backbone.conditions import Conditions
from ...backbone.part_classifier import Agreement, PartClassifier, PartClassifiers, Seen
from ...backbone.unet import UNetEncoder
from ...diffusion.schedule import NoiseSchedule
from ...guidance.step import FACE, PARTS, Part
from ...systems.encoders import Encoders
from ...systems.model import SystemModel
from ..trainer import Learner
from .batches import ClassifierBatch

_LEAST_LATER = 2  # frames; a sound that is one frame late is hardly wrong


class ClassifierLearner(Learner[PartClassifiers]):
    """Compute the losses of a batch; what reads portrait and sound is the system's own, and stays so."""

    def __init__(
        self, model: PartClassifiers, system: SystemModel, schedule: NoiseSchedule, *, masked: float
    ) -> None:
        super().__init__()
        self.model, self.schedule, self.masked = model, schedule, masked
        self.system = system.requires_grad_(False)

    def forward(self, batch: ClassifierBatch) -> dict[str, Tensor]:
        alone = batch.chance < self.masked
        noised = self.schedule.add_noise(batch.latents, batch.noise, batch.timestep)
        told = conditions_of(self.system, batch)
        losses = {}
        for part in PARTS:
            classifier = self.model.of(part)
            seen = looked(
                classifier, part, noised, batch, told=told, denoiser=self.system.denoiser, alone=alone
            )
            looks = classifier.judge_looks(seen).float()
            losses[part] = nnf.binary_cross_entropy_with_logits(looks, batch.label)
            if classifier.config.encoder == "denoiser":
                real = batch.label > 0
                agreement = agreement_loss(classifier.agreement, Seen(*(of[real] for of in seen)))
                losses[f"{part}_agreement"] = agreement
        return losses


def agreement_loss(agreement: Agreement, real: Seen) -> Tensor:
    """Tell the own sound of real clips from the sounds of all clips, the own from other frames on included.

    Two losses: which one is it (van den Oord et al. 2018, InfoNCE), and each by itself, own and others
    weighing the same, so that the logit can be added to another.
    """
    logits_BBT = agreement.among(*real).float()
    clips, _, frames = logits_BBT.shape
    own = torch.arange(clips, device=logits_BBT.device)
    later_T = torch.arange(frames, device=logits_BBT.device)
    near_T = torch.minimum(later_T, frames - later_T) < _LEAST_LATER
    others = torch.ones_like(logits_BBT, dtype=torch.bool)
    others[own, own] = ~near_T
    own_B = logits_BBT[own, own, 0]
    others_BN = logits_BBT.masked_fill(~others, -torch.inf).flatten(1)
    which = (torch.logaddexp(own_B, others_BN.logsumexp(dim=1)) - own_B).mean()
    each = nnf.softplus(-own_B).mean() + nnf.softplus(logits_BBT[others]).mean()
    return which + each


@torch.no_grad()
def conditions_of(encoders: Encoders, batch: ClassifierBatch) -> Conditions:
    """Join what the windows of a batch are told, as the full pass is."""
    return encoders.conditions(encoders.read(batch.portrait), batch.driven()).without_memo()


def looked(  # noqa: PLR0917
    classifier: PartClassifier,
    part: Part,
    noised: Tensor,
    batch: ClassifierBatch,
    *,
    told: Conditions,
    denoiser: UNetEncoder,
    alone: Tensor,
) -> Seen:
    """Let a classifier look at noised clips; alone: which of them show its part and nothing else.

    Shapes:   noised as batch.latents; alone (N,) bool
    """
    area = batch.face if part == FACE else 1 - batch.face
    shown = torch.where(alone.view(-1, 1, 1, 1, 1), noised * area, noised)
    timestep = batch.timestep.float().repeat_interleave(batch.windows)
    return classifier.look(shown.flatten(0, 1), timestep, told, denoiser, windows=batch.windows)
