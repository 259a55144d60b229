"""A device that is not there: tensors that say they lie elsewhere, and are computed on the CPU all the same.

    with another_device():
        tensor.to(ELSEWHERE) + tensor      RuntimeError, as a graphics card would raise it

Values are real, so that what was computed elsewhere can be compared with what is computed here. torch's fake
tensors refuse in the same places, but have no values, and a sampler asks for some (how noisy a step is).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

ELSEWHERE = torch.device("meta")  # a name that torch knows without a driver
HERE = torch.device("cpu")
_MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class Away(Tensor):
    """A tensor that lies elsewhere."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "Away":
        away = Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), dtype=held.dtype, device=ELSEWHERE
        )
        away.held = held
        return away

    @classmethod
    def __torch_dispatch__(
        cls, operator: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return computed(operator, args, dict(kwargs or {}))


@contextmanager
def another_device() -> Iterator[None]:
    """Let there be another device."""
    with _Made(), _FromLists():
        yield


class _Made(TorchDispatchMode):
    """Make tensors that are asked for elsewhere there."""

    def __torch_dispatch__(
        self, operator: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return computed(operator, args, dict(kwargs or {}))


class _FromLists(TorchFunctionMode):
    """Move what torch.tensor makes of numbers by an operator: it does so below all of them."""

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if function is not torch.tensor:
            return function(*args, **given)
        device = given.pop("device", None)
        made = function(*args, **given)
        return made if device is None else made.to(device)


def computed(operator: Any, args: tuple, kwargs: dict) -> Any:
    """Run an operator where its tensors lie; refuse it where they lie in two places."""
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
    asked = kwargs.get("device")
    away = [isinstance(tensor, Away) for tensor in tensors]
    if operator not in _MOVES and any(away):
        for tensor in tensors:
            if not isinstance(tensor, Away) and tensor.ndim:  # a number may come from the CPU
                raise RuntimeError(f"{operator}: expected all tensors on one device, found cpu and elsewhere")
    if asked is not None:
        kwargs["device"] = HERE
    is_away = away[0] if tensors and asked is None else asked is not None and torch.device(asked) == ELSEWHERE
    is_away = is_away or (operator not in _MOVES and any(away) and asked is None)
    made = operator(*tree_map(_held, args), **tree_map(_held, kwargs))
    if operator is torch.ops.aten.copy_.default:
        return args[0]
    return tree_map(lambda value: _sent(value, args), made) if is_away else made


def _held(value: Any) -> Any:
    return value.held if isinstance(value, Away) else value


def _sent(value: Any, args: tuple) -> Any:
    """Wrap a result; one that was changed in place is the tensor that came."""
    if not isinstance(value, Tensor):
        return value
    for given in tree_flatten(args)[0]:
        if isinstance(given, Away) and given.held is value:
            return given
    return Away(value)
