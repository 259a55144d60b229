"""A training stage as a value, and the module that turns a batch into losses.

Source: CyberHost section 4.1: stage 1 trains on pairs of frames; stage 2 on clips of 12 frames with 4 motion
        frames.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, cast

from pydantic import SerializeAsAny
from torch import Tensor, nn

from ..backbone.activation_checkpointing import checkpoint_activations
from ..backbone.conditions import Taps
from ..config import Count
from ..diffusion.schedule import NoiseSchedule
from ..errors import ConfigError
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

    trained: the only parts that learn, everything where none is named; frozen: parts that stay as they are
    all the same. A part is named by what stands in the names of its weights, between dots: "reference_net",
    "motion_modules", "denoiser.up_blocks". activation_checkpointing: hold only the inputs of layers for the
    backward pass, which computes the rest again: far less memory, for the time of one more forward pass.
    """

    name: Literal["image", "video"]
    frames: Count = 12
    sampling: SamplingConfig = SamplingConfig()
    losses: tuple[SerializeAsAny[Loss], ...] = (LocalEnhancement(), RegionMasks())
    trained: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    activation_checkpointing: bool = False


def set_up(model: SystemModel, stage: StageConfig) -> None:
    """Let only what a stage trains ask for gradients, and hold activations as the stage says.

    Raises:   ConfigError: the stage names a part that the system does not have, or trains none
    """
    names = [f".{name}." for name, _ in model.named_parameters()]
    for part in (*stage.trained, *stage.frozen):
        if not any(f".{part}." in name for name in names):
            raise ConfigError(
                f"The stage names the part '{part}', which '{model.spec.name}' does not have; give what "
                f"stands in the names of its weights, such as {', '.join(dict(model.named_children()))} or "
                "motion_modules."
            )
    for (_, parameter), name in zip(model.named_parameters(), names, strict=True):
        named = not stage.trained or _is_in(name, stage.trained)
        parameter.requires_grad_(named and not _is_in(name, stage.frozen))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError("The stage trains nothing: all that it names as trained is frozen, too.")
    if stage.activation_checkpointing:
        checkpoint_activations(model)


def _is_in(name: str, parts: tuple[str, ...]) -> bool:
    return any(f".{part}." in name for part in parts)


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
        conditions = self.model.conditions(reference, drive, missing=batch.missing, taps=taps).without_memo()
        noised = self.schedule.add_noise(batch.latents, batch.noise, batch.timestep).flatten(0, 1)
        return Answer(
            batch=batch,
            predicted_NCHW=self.model.denoiser(noised, batch.timestep.float(), conditions),
            target_NCHW=self.schedule.target(batch.latents, batch.noise, batch.timestep).flatten(0, 1),
            taps=taps,
            schedule=self.schedule,
        )
