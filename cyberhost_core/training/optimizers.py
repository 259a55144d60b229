"""The optimizers that a loop may name, and the bytes of what each keeps."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ..errors import require_extra
from .loop import LoopConfig

# bitsandbytes: one scale in float32 for each block of numbers; small tensors stay in float32.
_BLOCK, _LEAST_IN_8_BITS = 256, 4096


def make_optimizer(parameters: Iterable[nn.Parameter], loop: LoopConfig) -> torch.optim.Optimizer:
    """Build the optimizer of a loop.

    Raises:   MissingExtraError: it is the one in eight bits, and bitsandbytes is not installed
    Source:   AdamW: Loshchilov and Hutter 2019; moments in eight bits, block by block: Dettmers et al. 2022
    """
    settings: dict[str, Any] = {
        "lr": loop.learning_rate,
        "betas": loop.betas,
        "weight_decay": loop.weight_decay,
    }
    if loop.optimizer == "adamw_8bit":
        try:
            from bitsandbytes.optim import AdamW8bit  # type: ignore[import-not-found]
        except ImportError as error:
            raise require_extra(
                "bitsandbytes", extra="train-8bit", purpose="The optimizer adamw_8bit"
            ) from error
        return AdamW8bit(parameters, **settings)
    # Unless fused, a step on a graphics card takes as much memory again as all weights that are trained.
    return torch.optim.AdamW(parameters, fused=True, **settings)


def state_bytes(parameters: Iterable[nn.Parameter], loop: LoopConfig) -> int:
    """Count what the optimizer of a loop keeps of float32 weights, but for its step counts."""
    in_8_bits = loop.optimizer == "adamw_8bit"
    return sum(_moments(value.numel(), in_8_bits=in_8_bits) for value in parameters)


def _moments(numbers: int, *, in_8_bits: bool) -> int:
    if in_8_bits and numbers >= _LEAST_IN_8_BITS:
        return 2 * (numbers + 4 * -(-numbers // _BLOCK))
    return 2 * 4 * numbers
