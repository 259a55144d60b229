"""Folders as Hugging Face keeps them, and networks of its library filled with weights."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..errors import CheckpointError


def read_folder(
    folder: str | Path, *, network: str, wanted: Callable[[str], bool] = lambda _: True
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read config.json and those weights of model.safetensors that are wanted by name.

    Raises:   CheckpointError: a file is missing or unreadable; network is what the message calls it
    """
    from safetensors import SafetensorError, safe_open

    folder = Path(folder)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise CheckpointError(
            f"There is no file {weights}; a {network} folder with config.json and model.safetensors was "
            "expected (older folders hold only pytorch_model.bin: download the safetensors version)."
        )
    config = read_json(folder / "config.json", network=network)
    try:
        with safe_open(weights, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys() if wanted(name)}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"The file {weights} is damaged ({error}); download it again.") from error
    return state, config


def read_json(path: Path, *, network: str) -> dict[str, Any]:
    """Read one of the folder's JSON files.

    Raises:   CheckpointError: missing or damaged
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"The file {path} cannot be read ({error}); the JSON file of the {network} download was "
            "expected; download it again."
        ) from error


def fill_network(model: nn.Module, weights: Mapping[str, Tensor], *, network: str) -> None:
    """Load weights into a network that is to run, never to learn.

    Raises:   CheckpointError: a weight is missing, left over or of another shape
    """
    try:
        missing, left_over = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise CheckpointError(
            f"The {network} weights do not fit their configuration ({str(error).splitlines()[-1].strip()}); "
            "use the config.json that belongs to the weights."
        ) from error
    if missing or left_over:
        raise CheckpointError(
            f"The {network} weights do not fit their configuration: {len(missing)} missing, "
            f"{len(left_over)} unknown, first {[*missing, *left_over][0]!r}; use the config.json that "
            "belongs to the weights."
        )
    model.eval().requires_grad_(False)
