"""Stage 1 of EMO2 on disk: one safetensors file, weights in eight bits; loading gives back floats.

tensors: the model's state; metadata (strings): format, config (JSON), training (JSON)
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import CheckpointError
from ..gesture.model import GestureModel, GestureModelConfig
from .packing import pack, unpack

GESTURES_FORMAT = "cyberhost-gestures-1"


def save_gestures(
    path: Path, model: GestureModel, *, training: Mapping[str, Any], eight_bit: bool = False
) -> None:
    """Write a model with its configuration, and what is known of its training."""
    state = model.state_dict()
    statistics = {name: value for name, value in state.items() if "." not in name}
    tensors = pack(state) | statistics if eight_bit else state
    metadata = {
        "format": GESTURES_FORMAT,
        "config": model.config.to_json(),
        "training": json.dumps(dict(training)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, metadata)


def pack_gestures(source: Path, target: Path) -> None:
    """Write a model again with weights in eight bits.

    Raises:   CheckpointError: see load_gestures
    """
    model, training = _read(source)
    save_gestures(target, model, training=training, eight_bit=True)


def load_gestures(path: Path) -> GestureModel:
    """Read a model, in evaluation mode.

    Raises:   CheckpointError: no file, one of another kind, or damaged
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[GestureModel, dict[str, Any]]:
    if not path.is_file():
        raise CheckpointError(
            f"There is no file {path}; give the path of a file that 'cyberhost train gestures' made."
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != GESTURES_FORMAT:
                raise CheckpointError(
                    f"{path} holds no gesture model (its format is '{metadata.get('format', 'none')}', "
                    f"'{GESTURES_FORMAT}' was expected); give a file that 'cyberhost train gestures' made."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({error}); it is truncated or of another kind: train or "
            "copy it again."
        ) from error
    model = GestureModel(GestureModelConfig.parse(metadata["config"]))
    try:
        model.load_state_dict(unpack(tensors))
    except RuntimeError as error:
        raise CheckpointError(
            f"The weights in {path} do not fit the file's own configuration; the file is damaged or was "
            "edited: train or copy it again."
        ) from error
    return model.eval().requires_grad_(False), json.loads(metadata["training"])
