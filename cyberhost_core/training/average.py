"""The exponential moving average of what is trained: the weights that a finished run hands on."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def start_average(module: Module, *, apart: bool) -> Module:
    """Copy a module as the start of its average; needs no gradients.

    apart: copy what is frozen, too, as an average on another device must; else both share it.
    """
    frozen = {} if apart else {id(value): value for value in module.parameters() if not value.requires_grad}
    return copy.deepcopy(module, frozen).eval().requires_grad_(False)


@torch.no_grad()
def update_average(
    average: nn.Module, module: nn.Module, *, decay: float, step: int, buffers: bool = False
) -> None:
    """Move the average towards the weights; early on it follows faster, to forget the random start.

    buffers: average them too, where they are no counts; otherwise the module's own are taken
    """
    rate = 1 - min(decay, (1 + step) / (10 + step))
    for kept, new in zip(average.parameters(), module.parameters(), strict=True):
        if new.requires_grad:
            kept.lerp_(new.to(kept.device), rate)
    for kept, new in zip(average.buffers(), module.buffers(), strict=True):
        if buffers and kept.is_floating_point():
            kept.lerp_(new.to(kept.device), rate)
        else:
            kept.copy_(new)


@contextmanager
def exchanged(average: nn.Module, module: Module) -> Iterator[Module]:
    """Give the module, in evaluation mode, with the average's numbers, which it lends its own meanwhile.

    For a device that has no room for both: one tensor more than the module is there at any time.
    """
    was_training = module.training
    _exchange(average, module)
    try:
        yield module.eval()
    finally:
        _exchange(average, module)
        module.train(was_training)


@torch.no_grad()
def _exchange(average: nn.Module, module: nn.Module) -> None:
    pairs = [
        *zip(average.parameters(), module.parameters(), strict=True),
        *zip(average.buffers(), module.buffers(), strict=True),
    ]
    for kept, own in pairs:
        lent = own.clone()
        own.copy_(kept)
        kept.copy_(lent)
