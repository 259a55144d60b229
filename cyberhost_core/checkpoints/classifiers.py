"""Classifiers of parts on disk: one safetensors file, beside the checkpoint whose clips they judge.

face.*  non_face.*   both classifiers, in any precision; metadata (strings): format, config, system, training
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..backbone.ops import TORCH_OPS
from ..backbone.part_classifier import PartClassifierConfig, PartClassifiers
from ..errors import CheckpointError
from ..systems.spec import SystemSpec
from .packing import pack, unpack
from .small_files import SmallFile

_FILE = SmallFile(
    "cyberhost-classifiers-1", "classifiers of parts", "make them with 'cyberhost train classifiers'"
)


def classifiers_of(checkpoint: Path) -> Path:
    """Say where the classifiers of a checkpoint lie: beside it, its name and -classifiers."""
    return checkpoint.with_name(f"{checkpoint.stem}-classifiers.safetensors")


def save_classifiers(
    path: Path,
    model: PartClassifiers,
    *,
    system: str,
    training: Mapping[str, Any],
    eight_bit: bool = False,
) -> None:
    """Write classifiers; system: whose clips they judge, by its name."""
    state = model.state_dict()
    tensors = pack(state) if eight_bit else state
    _FILE.write(
        path, tensors, config=model.config.to_json(), system=system, training=json.dumps(dict(training))
    )


def pack_classifiers(source: Path, target: Path) -> None:
    """Write classifiers again with weights in eight bits.

    Raises:   CheckpointError: see load_classifiers
    """
    metadata, tensors = _FILE.read(source)
    if any(value.dtype == torch.int8 for value in tensors.values()):
        raise CheckpointError(f"The classifiers in {source} have eight bits already; copy the file.")
    _FILE.write(target, pack(tensors), **{key: value for key, value in metadata.items() if key != "format"})


def load_classifiers(path: Path, spec: SystemSpec) -> PartClassifiers:
    """Read the classifiers of a system, frozen and in evaluation mode.

    Raises:   CheckpointError: see read_classifiers, or the weights do not fit
    """
    config, tensors = read_classifiers(path, spec)
    return _FILE.filled(PartClassifiers(config, ops=TORCH_OPS), tensors, path=path)


def read_classifiers(path: Path, spec: SystemSpec) -> tuple[PartClassifierConfig, dict[str, Tensor]]:
    """Read what the classifiers of a system are, and their weights.

    Raises:   CheckpointError: no file, damaged, of another kind, or of another system
    """
    metadata, tensors = _FILE.read(path)
    config = PartClassifierConfig.parse(metadata["config"])
    if config.unet != spec.unet:
        raise CheckpointError(
            f"The classifiers in {path} judge clips of '{metadata.get('system', 'another system')}', and the "
            f"checkpoint is of '{spec.name}', whose network differs; give those of this checkpoint."
        )
    return config, unpack(tensors)
