"""Values that gradients can pass through, made inside a host that runs every node in inference mode.

A guidance may differentiate a sampling step with respect to its latents. Autograd keeps weights and
conditions for the way back, and refuses tensors that were made in inference mode.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def differentiable() -> Iterator[None]:
    """Leave inference mode and record nothing: what is made here can be differentiated through later."""
    with torch.inference_mode(mode=False), torch.no_grad():
        yield


def ordinary(value: Tensor) -> Tensor:
    """Copy a tensor that was made in inference mode; others are given back."""
    if not value.is_inference():
        return value
    with torch.inference_mode(mode=False):
        return value.clone()


@contextmanager
def ordinary_weights(*modules: nn.Module) -> Iterator[None]:
    """Lend modules weights that gradients can pass through, in place of those made in inference mode.

    The pack's own weights are loaded so that none are; patches, such as a LoRA's, make new ones.
    """
    lent: list[tuple[nn.Module, str, nn.Parameter]] = []
    try:
        for part in (part for module in modules for part in module.modules()):
            for name, value in list(part.named_parameters(recurse=False)):
                if value.is_inference():
                    lent.append((part, name, value))
                    with torch.inference_mode(mode=False):
                        setattr(part, name, nn.Parameter(value.detach().clone(), requires_grad=False))
        yield
    finally:
        for part, name, value in lent:
            setattr(part, name, value)
