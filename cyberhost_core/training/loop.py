"""The training loop's settings, the same for everything that is trained by it."""

import math
from typing import Literal

from ..config import Config


class LoopConfig(Config):
    """How long, how fast, what is averaged, how often saved. Learning rate default: CyberHost section 4.1.

    decay_fraction: share of the steps, at the end, over which the rate falls to decay_to of itself; decay:
    along a line, or along half a cosine, which is level at both ends. average_buffers: average the numbers
    that no gradient moves, too, such as running statistics, instead of handing on the last ones.
    optimizer: adamw_8bit keeps its two moments in eight bits, a quarter of the memory; it needs the extra
    train-8bit. average_on_cpu: keep the average in the host's memory, not the device's; every step then
    copies what is trained to the host.
    """

    steps: int
    learning_rate: float = 1e-5
    warmup_steps: int = 100
    decay: Literal["linear", "cosine"] = "linear"
    decay_fraction: float = 0.0
    decay_to: float = 0.1
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    average_buffers: bool = False
    average_on_cpu: bool = False
    accumulate: int = 1
    precision: Literal["no", "bf16", "fp16"] = "bf16"
    save_every: int = 1000
    validate_every: int = 1000


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
