"""Run modules on tensors that have sizes and no storage, to count what the real ones would take."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode


@contextmanager
def fake_tensors(*, gradients: bool = False) -> Iterator[None]:
    """Make every tensor that is made in this context a fake one; gradients: record for a backward pass."""
    with FakeTensorMode(), torch.set_grad_enabled(gradients), warnings.catch_warnings():
        # A bank asks for the address of its weights, to see whether they changed; fake ones have none.
        warnings.filterwarnings("ignore", message="Accessing the data pointer of FakeTensor")
        yield


def give_fake_weights(module: nn.Module, dtype: torch.dtype) -> None:
    """Replace weights by fake ones of a precision, and the tables that parts make for themselves by fakes."""
    for part in module.modules():
        for name, value in list(part.named_parameters(recurse=False)):
            empty = torch.empty(value.shape, dtype=dtype)
            setattr(part, name, nn.Parameter(empty, requires_grad=False))
        for name, value in list(part.named_buffers(recurse=False)):
            setattr(part, name, torch.empty(value.shape, dtype=value.dtype))


def fakes_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Make fakes of the sizes of real tensors."""
    return {name: torch.empty(value.shape, dtype=value.dtype) for name, value in tensors.items()}
