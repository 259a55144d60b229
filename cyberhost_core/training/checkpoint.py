"""Save and resume a training run bit-exactly, in safetensors only: weights, EMA, optimizer moments, step."""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import CheckpointError

_PREFIXES = ("weights.", "ema.", "optimizer.")
_FREE = {"workers", "save_every", "validate_every"}  # settings that change no bit of what is learned


def save_run(
    path: Path, *, module: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer, step: int, config: str
) -> None:
    """Write the state after `step` steps; the file appears whole or not at all."""
    tensors = {f"weights.{key}": value for key, value in module.state_dict().items()}
    tensors |= {f"ema.{key}": value for key, value in ema.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in state.items()}
    metadata = {"format": "cyberhost-run-1", "step": str(step), "config": config}
    half_written = path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {key: value.detach().clone().contiguous() for key, value in tensors.items()}, half_written, metadata
    )
    os.replace(half_written, path)


def load_run(
    path: Path, *, module: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer, config: str
) -> int:
    """Restore a run into freshly built parts; return the number of steps done.

    Raises:   CheckpointError: not a run file, damaged, or one of a run with another configuration or system
    """
    metadata, groups = _read(path)
    different = _differences(json.loads(metadata["config"]), json.loads(config))
    if different:
        raise CheckpointError(
            f"The run in {path} was started with another {different[0]}; resume with the same command, "
            "or train into another folder."
        )
    for part, prefix in ((module, "weights."), (ema, "ema.")):
        if part.state_dict().keys() != groups[prefix].keys():
            raise CheckpointError(
                f"The run in {path} trains a system with other parts than this one; "
                "resume with the same command, or train into another folder."
            )
        part.load_state_dict(groups[prefix])
    _load_optimizer(optimizer, groups["optimizer."])
    return int(metadata["step"])


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


def _read(path: Path) -> tuple[dict[str, str], dict[str, dict[str, Tensor]]]:
    groups: dict[str, dict[str, Tensor]] = {prefix: {} for prefix in _PREFIXES}
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != "cyberhost-run-1":
                raise CheckpointError(
                    f"{path} is not a training run; give the run.safetensors of an earlier training."
                )
            for key in file.keys():  # noqa: SIM118 - a safetensors file is no mapping
                prefix = next(prefix for prefix in _PREFIXES if key.startswith(prefix))
                groups[prefix][key.removeprefix(prefix)] = file.get_tensor(key)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"The training run {path} cannot be read ({error}); restore it, or train into another folder."
        ) from error
    return metadata, groups


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
