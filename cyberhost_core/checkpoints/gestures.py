"""Stage 1 of EMO2 on disk: one safetensors file, weights in eight bits; loading gives back floats.

tensors: the model's state; metadata (strings): format, config (JSON), training (JSON)
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..gesture.model import GestureModel, GestureModelConfig
from .packing import pack, unpack
from .small_files import SmallFile

GESTURES_FORMAT = "cyberhost-gestures-1"
_FILE = SmallFile(GESTURES_FORMAT, "gesture model", "give a file that 'cyberhost train gestures' made")


def save_gestures(
    path: Path, model: GestureModel, *, training: Mapping[str, Any], eight_bit: bool = False
) -> None:
    """Write a model with its configuration, and what is known of its training."""
    state = model.state_dict()
    statistics = {name: value for name, value in state.items() if "." not in name}
    tensors = pack(state) | statistics if eight_bit else state
    _FILE.write(path, tensors, config=model.config.to_json(), training=json.dumps(dict(training)))


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
    metadata, tensors = _FILE.read(path)
    model = GestureModel(GestureModelConfig.parse(metadata["config"]))
    return _FILE.filled(model, unpack(tensors), path=path), json.loads(metadata["training"])
