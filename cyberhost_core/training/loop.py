"""The training loop's settings, the same for everything that is trained by it."""

from typing import Literal

from ..config import Config


class LoopConfig(Config):
    """How long, how fast, how often saved. Learning rate default: CyberHost section 4.1."""

    steps: int
    learning_rate: float = 1e-5
    warmup_steps: int = 100
    decay_fraction: float = 0.0  # share of the steps over which the rate falls linearly to a tenth
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    accumulate: int = 1
    precision: Literal["no", "bf16", "fp16"] = "bf16"
    save_every: int = 1000
    validate_every: int = 1000


def learning_rate(loop: LoopConfig, step: int) -> float:
    """Warm up linearly, hold, then fall linearly to a tenth over the last decay_fraction of the steps."""
    warm = min(1.0, (step + 1) / max(1, loop.warmup_steps))
    decay_steps = loop.decay_fraction * loop.steps
    left = loop.steps - step
    fall = 0.1 + 0.9 * left / decay_steps if decay_steps and left < decay_steps else 1.0
    return loop.learning_rate * warm * fall
