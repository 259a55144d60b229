"""A training stage as a value, and the module that turns a batch into losses.

Source: CyberHost section 4.1: stage 1 trains on pairs of frames; stage 2 on clips of 12 frames with 4 motion
        frames.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, cast

from pydantic import SerializeAsAny
from torch import Tensor, nn

from ..backbone.conditions import Taps
from ..config import Count
from ..diffusion.schedule import NoiseSchedule
from ..systems.model import SystemModel
from .batch import Batch
from .batches import SamplingConfig
from .loop import LoopConfig
from .losses.local_enhancement import LocalEnhancement
from .losses.loss import Answer, Loss, LossModule
from .losses.region_masks import RegionMasks
from .trainer import Learner


class StageConfig(LoopConfig):
    """One stage: what is trained, on what, for what, for how long.

    frozen: parts of the system, by the names of their prefixes, that stay as they are
    """

    name: Literal["image", "video"]
    frames: Count = 12
    sampling: SamplingConfig = SamplingConfig()
    losses: tuple[SerializeAsAny[Loss], ...] = (LocalEnhancement(), RegionMasks())
    frozen: tuple[str, ...] = ()


class TrainingModule(Learner[SystemModel]):
    """Compute the losses of a batch of clips; networks: those that losses may ask, by name."""

    def __init__(
        self, model: SystemModel, losses: Sequence[Loss], *, networks: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.losses = nn.ModuleList(loss.build(model.spec, networks or {}) for loss in losses)
        self.wanted = frozenset(kind for loss in losses for kind in loss.taps)
        self.schedule = NoiseSchedule(model.spec.schedule)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        answer = self.answer(batch)
        found: dict[str, Tensor] = {}
        for loss in cast("Sequence[LossModule]", self.losses):
            found |= loss(answer)
        return found

    def answer(self, batch: Batch) -> Answer:
        """Run the denoiser on the batch's noised latents."""
        taps = Taps(self.wanted)
        reference = self.model.read(batch.portrait)
        drive = batch.driven(self.model.follow(batch.past, reference))
        conditions = self.model.conditions(reference, drive, missing=batch.missing, taps=taps)
        noised = self.schedule.add_noise(batch.latents, batch.noise, batch.timestep).flatten(0, 1)
        return Answer(
            batch=batch,
            predicted_NCHW=self.model.denoiser(noised, batch.timestep.float(), conditions),
            target_NCHW=self.schedule.target(batch.latents, batch.noise, batch.timestep).flatten(0, 1),
            taps=taps,
            schedule=self.schedule,
        )
