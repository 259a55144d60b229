"""Run modules on tensors that have sizes and no storage, to count what the real ones would take."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ..backbone.conditions import Conditions


@contextmanager
def fake_tensors() -> Iterator[None]:
    """Make every tensor that is made in this context a fake one."""
    with FakeTensorMode(), torch.no_grad(), warnings.catch_warnings():
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


def countable(conditions: Conditions) -> Conditions:
    """The same conditions, whose rows with a reference are known by number.

    A mask of fakes cannot say how many rows it lets through.
    """
    values = {field.name: getattr(conditions, field.name) for field in fields(conditions)}
    return _CountableConditions(**values)


class _CountableConditions(Conditions):
    def rows_with_reference(self, _device: torch.device) -> "_Rows":  # type: ignore[override]
        having = [has for has in self.reference_rows for _ in range(self.frames)]
        return _Rows([row for row, has in enumerate(having) if has], of=len(having))


class _Rows(list[int]):
    """Row numbers that can be turned round as a mask can."""

    def __init__(self, rows: list[int], *, of: int) -> None:
        super().__init__(rows)
        self._of = of

    def __invert__(self) -> "_Rows":
        return _Rows([row for row in range(self._of) if row not in self], of=self._of)
