"""The training loop's settings, the same for everything that is trained by it."""

import math
from typing import Annotated, Literal

from pydantic import Field

from ..config import Config, Count, Positive, Share

Precision = Literal["no", "bf16", "fp16"]
Decay = Annotated[float, Field(ge=0, lt=1)]


class LoopConfig(Config):
    """How long, how fast, what is averaged, how often saved. Learning rate default: CyberHost section 4.1.

    decay_fraction: share of the steps, at the end, over which the rate falls to decay_to of itself; decay:
    along a line, or along half a cosine, which is level at both ends. average_buffers: average the numbers
    that no gradient moves, too, such as running statistics, instead of handing on the last ones. precision:
    of the products, "no" for float32, see training.precision; weights stay float32. workers: processes that
    make batches, 0 for none. optimizer: adamw_8bit keeps its two moments in eight bits, a quarter of the
    memory; it needs the extra train-8bit. average_on_cpu: keep the average in the host's memory, not the
    device's; every step then copies what is trained to the host.
    """

    steps: Count
    learning_rate: Positive = 1e-5
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    decay: Literal["linear", "cosine"] = "linear"
    decay_fraction: Share = 0.0
    decay_to: Share = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    clip_norm: Positive = 1.0
    ema_decay: Decay = 0.999
    average_buffers: bool = False
    average_on_cpu: bool = False
    accumulate: Count = 1
    precision: Precision = "bf16"
    workers: Annotated[int, Field(ge=0)] = 1
    save_every: Count = 1000
    validate_every: Count = 1000


def learning_rate(loop: LoopConfig, step: int) -> float:
    """Warm up linearly, hold, then fall over the last decay_fraction of the steps."""
    warm = min(1.0, (step + 1) / max(1, loop.warmup_steps))
    return loop.learning_rate * warm * _fall(loop, step)


def _fall(loop: LoopConfig, step: int) -> float:
    decay_steps = loop.decay_fraction * loop.steps
    left = loop.steps - step
    if not decay_steps or left >= decay_steps:
        return 1.0
    if loop.decay == "cosine":
        left = decay_steps * (1 - math.cos(math.pi * left / decay_steps)) / 2
    return loop.decay_to + (1 - loop.decay_to) * left / decay_steps
