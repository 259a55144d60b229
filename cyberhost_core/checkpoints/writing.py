"""From a settled account to a checkpoint on disk."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..systems.spec import SystemSpec
from .accounting import Ledger, Report
from .file import FORMAT, companion_dtype
from .streaming import Entry, OnBytes, write_safetensors

_COMPANIONS = ("vae.", "audio_encoder.")


class Weight(Protocol):
    """A weight that can be had when its turn comes."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def read(self) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a conversion will write, every name accounted for, nothing read yet.

    initial: weights that no file gives; licence, metadata: see `file`
    """

    ledger: Ledger
    spec: SystemSpec
    licence: str
    metadata: Mapping[str, str]
    initial: Mapping[str, Weight] = field(default_factory=dict)

    @property
    def report(self) -> Report:
        return self.ledger.report


def write_checkpoint(
    plan: Plan, out: Path, *, dtype: torch.dtype, on_bytes: OnBytes = lambda _done, _total: None
) -> Report:
    """Stream a plan's weights out.

    Autoencoder and audio encoder are stored as `companion_dtype` says. Integers stay as they are.

    Raises:   CheckpointError: out is no .safetensors file, is one of the sources, or cannot be written
    """
    _require_new_file(out, plan.ledger)
    weights: dict[str, Weight] = {**plan.initial, **plan.ledger.origins}
    entries = {}
    for name, weight in weights.items():
        stored = companion_dtype(dtype) if name.startswith(_COMPANIONS) else dtype
        entries[name] = Entry(
            weight.shape, stored if weight.dtype.is_floating_point else weight.dtype, weight.read
        )
    metadata = {
        "format": FORMAT,
        "system": plan.spec.to_json(),
        "licence": plan.licence,
        "training": json.dumps({}),
        **plan.metadata,
    }
    plan.report.bytes = write_safetensors(out, entries, metadata, on_bytes=on_bytes)
    plan.report.out = str(out)
    return plan.report


def _require_new_file(out: Path, ledger: Ledger) -> None:
    if out.suffix != ".safetensors":
        raise CheckpointError(f"{out} does not end in .safetensors, as a checkpoint must; name it so.")
    if any(out.exists() and origin.source.path.samefile(out) for origin in ledger.origins.values()):
        raise CheckpointError(f"{out} is one of the files to be converted; give another name to write to.")
