"""Save and resume a training run bit-exactly, in safetensors only: weights, EMA, optimizer moments, step.

One tensor after another goes to the file and back: neither way takes a second copy of them all.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..checkpoints.streaming import Entry, write_safetensors
from ..errors import CheckpointError

_FORMAT = "cyberhost-run-1"
_WEIGHTS, _EMA, _OPTIMIZER = "weights.", "ema.", "optimizer."
_FREE = {"workers", "save_every", "validate_every"}  # settings that change no bit of what is learned


def save_run(
    path: Path, *, module: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer, step: int, config: str
) -> None:
    """Write the state after `step` steps; the file appears whole or not at all.

    Raises:   CheckpointError: a number is not finite any more, or the disk has no room
    """
    tensors = {_WEIGHTS + key: value for key, value in module.state_dict().items()}
    tensors |= {_EMA + key: value for key, value in ema.state_dict().items()}
    for number, parameter in enumerate(_parameters(optimizer)):
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{_OPTIMIZER}{number}.{key}"] = torch.as_tensor(value)
    entries = {
        name: Entry(tuple(value.shape), value.dtype, partial(_on_cpu, name, value, path=path, step=step))
        for name, value in tensors.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"format": _FORMAT, "step": str(step), "config": config}
    write_safetensors(path, entries, metadata, on_bytes=lambda _written, _total: None)


def load_run(
    path: Path, *, module: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer, config: str
) -> int:
    """Restore a run into freshly built parts, wherever they are; return the number of steps done.

    Raises:   CheckpointError: not a run file, damaged, or one of a run with another configuration or system
    """
    with _opened(path) as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != _FORMAT:
            raise CheckpointError(
                f"{path} is not a training run; give the run.safetensors of an earlier training."
            )
        different = _differences(json.loads(metadata["config"]), json.loads(config))
        if different:
            raise CheckpointError(
                f"The run in {path} was started with another {different[0]}; resume with the same command, "
                "or train into another folder."
            )
        names = set(file.keys())
        parts = {_WEIGHTS: module.state_dict(), _EMA: ema.state_dict()}
        own = {prefix + key: value for prefix, part in parts.items() for key, value in part.items()}
        if own.keys() != {name for name in names if not name.startswith(_OPTIMIZER)}:
            raise CheckpointError(
                f"The run in {path} trains a system with other parts than this one; "
                "resume with the same command, or train into another folder."
            )
        for name, value in own.items():
            value.copy_(file.get_tensor(name))
        _load_optimizer(optimizer, file, names - own.keys())
    return int(metadata["step"])


def _parameters(optimizer: torch.optim.Optimizer) -> Iterator[nn.Parameter]:
    return (parameter for group in optimizer.param_groups for parameter in group["params"])


def _on_cpu(name: str, value: Tensor, *, path: Path, step: int) -> Tensor:
    if value.is_floating_point() and value.numel():
        least, most = value.aminmax()  # both pass NaN on
        if not (least.isfinite() and most.isfinite()):
            raise CheckpointError(
                f"Training has diverged: '{name}' holds numbers that are not finite after step {step}; "
                f"{path} was left as it was: train again with a lower learning rate."
            )
    return value.cpu()


def _load_optimizer(optimizer: torch.optim.Optimizer, file: Any, names: set[str]) -> None:
    """Put what the optimizer keeps where its weights are, without the casts of its own load_state_dict."""
    parameters = list(_parameters(optimizer))
    for name in sorted(names):
        number, key = name.removeprefix(_OPTIMIZER).split(".", 1)
        parameter, value = parameters[int(number)], file.get_tensor(name)
        # A copy: on a CPU the tensor would otherwise lie in the file itself. Counts were no tensors.
        kept = value.item() if value.dtype == torch.int64 else value.to(parameter.device, copy=True)
        optimizer.state[parameter][key] = kept


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"The training run {path} cannot be read ({error}); restore it, or train into another folder."
        ) from error


def _differences(old: object, new: object, where: str = "") -> list[str]:
    """Name what differs between two JSON values and matters, as dotted paths."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted((old.keys() | new.keys()) - _FREE)
        return [
            found
            for key in keys
            for found in _differences(old.get(key), new.get(key), f"{where}.{key}" if where else key)
        ]
    return [] if old == new else [where or "configuration"]
