"""Where training starts: a system's first weights, from several files, each accounted for.

stage 1's weights --+
parents' weights  --+--> the first file that has a weight of this name and shape gives it --> system, account
...               --+    what none gives stays as the system itself made it
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..systems.model import SystemModel
from .accounting import Report
from .parts import load_weights

_RESHAPED = "of shape"
_NAMED = 5  # weights of another shape that the text names; the JSON names all


@torch.no_grad()
def start_from(model: SystemModel, files: Sequence[Path]) -> Report:
    """Give a system its first weights; where several files have one, the first of them counts.

    Files are averaged weights of a training run, or whole checkpoints, whose autoencoder and audio encoder
    are no part of the system and are not looked at. A file that has nothing for this system is a mistake.

    Raises:   CheckpointError: a file cannot be read, or none of its weights has a name and a shape here
    """
    own, taken = model.state_dict(), set[str]()
    report = Report(f"the start of '{model.spec.name}'", files=[str(path) for path in files])
    for path in files:
        weights = load_weights(path)
        if not any(_fits(name, value, own) for name, value in weights.items()):
            raise CheckpointError(
                f"None of the weights in {path} has a name and a shape of '{model.spec.name}'; give the "
                "model.safetensors of an earlier stage, or a checkpoint of this or a related system."
            )
        for name, value in weights.items():
            group, origin = report.group(name), f"{path}: {name}"
            reason = _why_not(name, value, own, taken=taken)
            if reason:
                group.dropped.setdefault(reason, []).append(origin)
            else:
                own[name].copy_(value)  # the model's own memory
                taken.add(name)
                group.matched[name] = origin
    for name in sorted(own.keys() - taken):
        report.group(name).initialised.append(name)
    report.notes += _named(report)
    return report


def _fits(name: str, value: Tensor, own: Mapping[str, Tensor]) -> bool:
    return name in own and own[name].shape == value.shape


def _why_not(name: str, value: Tensor, own: Mapping[str, Tensor], *, taken: Collection[str]) -> str:
    """Say why a weight is not taken; nothing if it is."""
    if name not in own:
        return "this system has no such weight"
    if name in taken:
        return "an earlier file gives it, too, and counts"
    if not _fits(name, value, own):
        return f"{_RESHAPED} {list(value.shape)} instead of {list(own[name].shape)}"
    return ""


def _named(report: Report) -> list[str]:
    """Name weights of another shape, which were perhaps counted on; of many, the first few."""
    found = [
        f"not taken: {origin} is {reason}"
        for group in report.groups.values()
        for reason, origins in group.dropped.items()
        if reason.startswith(_RESHAPED)
        for origin in origins
    ]
    more = [f"not taken: {len(found) - _NAMED} more of another shape"] if len(found) > _NAMED else []
    return found[:_NAMED] + more
