"""Build a module straight from its weights: nothing is allocated, or drawn at random, only to be replaced.

layers without storage -> names and shapes compared -> weights copied in -> is anything still without storage?

Whatever a part computes for itself when it is built (positions, tables) is computed as ever, because only the
layers that come from `Ops` are born without storage.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..backbone.ops import TORCH_OPS, Ops
from ..errors import CheckpointError

# By these names torch's layers and our parts fill a weight with random numbers.
_DRAWING = frozenset({"uniform_", "normal_", "kaiming_uniform_", "kaiming_normal_"})

Module = TypeVar("Module", bound=nn.Module)


def build_filled(
    make: Callable[[Ops], Module], state: Mapping[str, Tensor], *, ops: Ops, dtype: torch.dtype, path: Path
) -> Module:
    """Build a module and give it copies of its weights in one precision, ready for inference.

    Raises:   CheckpointError: names or shapes are not the module's; path is named
    """
    module = planned(make, ops=ops)
    require_fit(module, state, path=path)
    module.load_state_dict({key: _copied(value, dtype) for key, value in state.items()}, assign=True)
    _require_whole(module)
    return module.eval().requires_grad_(False)


def planned(make: Callable[[Ops], Module], *, ops: Ops = TORCH_OPS) -> Module:
    """Build a module whose layers have names, shapes and types, but no memory for their weights yet."""
    layers = {
        field.name: partial(getattr(ops, field.name), device="meta")
        for field in fields(ops)
        if field.name != "attention"
    }
    with _NothingDrawn():
        return make(replace(ops, **layers))


def fill(module: nn.Module, state: Mapping[str, Tensor], *, path: Path) -> None:
    """Copy weights into a module that is there already, ready for inference; each keeps the module's type.

    Raises:   CheckpointError: names or shapes are not the module's; path is named
    """
    require_fit(module, state, path=path)
    with torch.no_grad():
        module.load_state_dict(dict(state))
    module.eval().requires_grad_(False)


def require_fit(module: nn.Module, state: Mapping[str, Tensor], *, path: Path) -> None:
    """Compare names and shapes with the module's.

    Raises:   CheckpointError: they are not exactly the same; path is named
    """
    expected = {key: value.shape for key, value in module.state_dict().items()}
    found = {key: value.shape for key, value in state.items()}
    if expected != found:
        different = sorted(
            key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)
        )
        raise CheckpointError(
            f"The weights in {path} do not fit its own configuration: {len(different)} names or shapes "
            f"differ, the first is '{different[0]}'; the file is damaged or was edited: "
            "download or train it again."
        )


class _NothingDrawn(TorchFunctionMode):
    """Leave initialisation out where there is no storage to initialise.

    It would change nothing, but torch imports a second library of operators for it: a second, and 70 MB.
    """

    def __torch_function__(  # noqa: PLR0917 - torch's order
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__name__", "") in _DRAWING:
            tensor = args[0] if args else named["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **named)


def _copied(value: Tensor, dtype: torch.dtype) -> Tensor:
    # A copy even in the same precision: a model must not change, or fault, with the file that it came from.
    return value.to(dtype if value.is_floating_point() else value.dtype, copy=True)


def _require_whole(module: nn.Module) -> None:
    """Fail loudly where a part kept something that it made of weights which were not there yet."""
    kept = [*module.named_parameters(), *module.named_buffers()]
    for path, part in module.named_modules():
        kept += [(f"{path}.{name}", value) for name, value in vars(part).items() if torch.is_tensor(value)]
    missing = [name for name, value in kept if value.is_meta]
    if missing:
        raise RuntimeError(
            f"'{missing[0]}' was computed from a layer's weights before they were loaded; compute it where "
            "it is used."
        )
