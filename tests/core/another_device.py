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
_INDEXED = (torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_)


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
    with _Made(), _Moved():
        yield


class _Made(TorchDispatchMode):
    """Make tensors that are asked for elsewhere there."""

    def __torch_dispatch__(
        self, operator: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return computed(operator, args, dict(kwargs or {}))


class _Moved(TorchFunctionMode):
    """Move by an operator what torch moves below all of them: lists of numbers, inference tensors."""

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if function in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[1], list):
            args = (args[0], torch.tensor(args[1]), *args[2:])
        if function is torch.tensor:
            device = given.pop("device", None)
            made = function(*args, **given)
            return made if device is None else _sent_to(made, device, None)
        if function is Tensor.to and not any(isinstance(target, Tensor) for target in args[1:]):
            given.pop("copy", None)  # it always is one
            device, dtype, *_ = torch._C._nn._parse_to(*args[1:], **given)  # pyright: ignore[reportAttributeAccessIssue]
            return _sent_to(args[0], device, dtype)
        return function(*args, **given)


def computed(operator: Any, args: tuple, kwargs: dict) -> Any:
    """Run an operator where its tensors lie; refuse it where they lie in two places."""
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
    asked = kwargs.get("device")
    away = [isinstance(tensor, Away) for tensor in tensors]
    if operator not in _MOVES and any(away):
        places = args[1] if operator.overloadpacket in _INDEXED else ()  # they may be named from the CPU
        for tensor in tensors:
            if not _may_join(tensor) and not any(tensor is place for place in places):
                raise RuntimeError(f"{operator} expected all tensors on one device, found cpu and elsewhere")
    if asked is not None:
        kwargs["device"] = HERE
    is_away = away[0] if tensors and asked is None else asked is not None and torch.device(asked) == ELSEWHERE
    is_away = is_away or (operator not in _MOVES and any(away) and asked is None)
    made = operator(*tree_map(_held, args), **tree_map(_held, kwargs))
    if operator is torch.ops.aten.copy_.default:
        return args[0]
    return tree_map(lambda value: _sent(value, args), made) if is_away else made


def _may_join(tensor: Tensor) -> bool:
    """Whether a tensor may be used elsewhere: a single number may come from the CPU."""
    return isinstance(tensor, Away) or (not tensor.ndim and tensor.device == HERE)


def _sent_to(tensor: Tensor, device: torch.device | None, dtype: torch.dtype | None) -> Tensor:
    return torch.ops.aten._to_copy(tensor, device=device or tensor.device, dtype=dtype or tensor.dtype)


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
