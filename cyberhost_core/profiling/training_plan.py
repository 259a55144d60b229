"""What memory a training step takes on a device: true modules and losses run on tensors without storage.

there all the time    weights, what the optimizer keeps, the average
the largest batch     -> forward pass -> activations, held -> backward pass -> gradients

Reads:    on a graphics card, autocast computes products and convolutions in 16 bits and norms in float32, so
          norms are built to do so here, whatever the machine; attention as in `memory_plan`.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from ..backbone.ops import Ops
from ..reports.tables import aligned
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from ..training.batch import Batch
from ..training.losses.pose_presence import DISCRIMINATOR
from ..training.optimizers import state_bytes
from ..training.pose_discriminator import PoseDiscriminator, PoseDiscriminatorConfig
from ..training.stage import StageConfig, TrainingModule, set_up
from .fake_tensors import fake_tensors
from .live_bytes import LiveBytes
from .random_batch import fake_batch, largest_batch

_AUTOCAST = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_MIB = 2**20
_ASSUMPTIONS = (
    "Counted for the largest batch: with motion frames, and of several clips one without its reference.",
    "Attention is counted as fused kernels run it: without the matrix of all queries and keys.",
    "Not counted: workspace of kernels, the allocator's reserve, the device's context, validation.",
)


class _GroupNorm(nn.GroupNorm):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.float())


class _LayerNorm(nn.LayerNorm):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.float())


AS_ON_A_CARD = Ops(GroupNorm=_GroupNorm, LayerNorm=_LayerNorm)


@dataclass(frozen=True, kw_only=True)
class Amount:
    """Hold one amount of bytes; name: stable, for programs; label: for people."""

    name: str
    label: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Hold all amounts of one device."""

    title: str
    amounts: list[Amount]

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Write as an aligned table of plain text."""
        rows = [("one training step, on each device", "MiB")]
        rows += [(amount.label, f"{amount.bytes / _MIB:,.1f}") for amount in self.amounts]
        return "\n".join([self.title, "", *aligned(rows, left=(0,)), "", *_ASSUMPTIONS])


def plan_training(spec: SystemSpec, stage: StageConfig, *, devices: int = 1) -> TrainingPlan:
    """Count what a step of a stage of a system takes on each of some devices.

    Raises:   ConfigError: the stage names parts that the system does not have
    """
    batch = largest_batch(spec, stage)
    # Gradients are there from the start where devices exchange them, in buckets, and where they accumulate.
    lasting = devices > 1 or stage.accumulate > 1
    with fake_tensors(gradients=True):
        module = _module(spec, stage)
        trained = [value for value in module.parameters() if value.requires_grad]
        for value in trained if lasting else ():
            value.grad = torch.empty_like(value)
        held, peak = _step(module, fake_batch(batch), precision=_AUTOCAST[stage.precision])
    parameters, buffers = list(module.parameters()), list(module.buffers())
    weights, gradients, states = _bytes(parameters + buffers), _bytes(trained), state_bytes(trained, stage)
    average = 0 if stage.average_on_cpu else gradients + _bytes(buffers)
    count, trained_count = _numbers(parameters), _numbers(trained)
    which = "all trained" if count == trained_count else f"{trained_count:,} of them trained"
    peak_label = "the backward pass" if lasting else "the backward pass, gradients that are there included"
    amounts = [
        ("weights", f"weights: {count:,}, {which}", weights),
        ("gradients", f"gradients{', in the buckets that devices exchange' * (devices > 1)}", gradients),
        ("optimizer", f"what {stage.optimizer} keeps", states),
        ("average", f"average{', in the memory of the host' * stage.average_on_cpu}", average),
        ("held", "activations held after the forward pass", held),
        ("step_peak", f"  peak of {peak_label}", peak),
        ("all", "all of it, at most", weights + states + average + gradients * lasting + peak),
    ]
    clips = "1 clip" if len(batch) == 1 else f"{len(batch)} clips"
    frames = "1 frame" if stage.frames == 1 else f"{stage.frames} frames"
    return TrainingPlan(
        title=f"Memory of training {spec.name}, stage {stage.name}: {clips} of {frames}, "
        f"{spec.height} x {spec.width}, precision {stage.precision}",
        amounts=[Amount(name=name, label=label, bytes=count) for name, label, count in amounts],
    )


def _module(spec: SystemSpec, stage: StageConfig) -> TrainingModule:
    model = SystemModel(spec, ops=AS_ON_A_CARD)
    set_up(model, stage)
    discriminator = PoseDiscriminator(PoseDiscriminatorConfig(latent_channels=spec.unet.latent_channels))
    module = TrainingModule(model, stage.losses, networks={DISCRIMINATOR: discriminator})
    module.train()
    return module


def _step(module: TrainingModule, batch: Batch, *, precision: torch.dtype) -> tuple[int, int]:
    """Run forward and backward pass as the trainer does; bytes held between them, and at most."""
    there = [*module.parameters(), *module.buffers()]
    there += [value.grad for value in module.parameters() if value.grad is not None]
    autocast = torch.autocast("cpu", precision, enabled=precision != torch.float32, cache_enabled=False)
    with LiveBytes(there) as counter, autocast:
        losses = module(batch)
        total = torch.stack(list(losses.values())).sum()
        held = counter.now
        total.backward()
        return held, counter.peak


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


def _numbers(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
