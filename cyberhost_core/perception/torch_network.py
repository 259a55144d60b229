"""Puppet networks as safetensors files, which torch runs by itself.

Weights in 16 bit, biases in 32. Metadata (strings): format, kind ("pose" or "face"), config (JSON).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..config import Config
from ..errors import CheckpointError
from .puppet_networks import FaceTwin, FaceTwinConfig, PoseTwin, PoseTwinConfig, fold_norms
from .signatures import FACE_PX, INPUT_HEIGHT, INPUT_WIDTH

FORMAT = "cyberhost-puppet-network-1"


@dataclass(frozen=True)
class _Kind:
    network: type[nn.Module]
    config: type[Config]
    input_shape: tuple[int, ...]


_KINDS = {
    "pose": _Kind(PoseTwin, PoseTwinConfig, (3, INPUT_HEIGHT, INPUT_WIDTH)),
    "face": _Kind(FaceTwin, FaceTwinConfig, (3, FACE_PX, FACE_PX)),
}


class TorchNetwork:
    """Run a puppet network; it is used as OnnxNetwork is, and takes batches of any size.

    Raises:   CheckpointError: no file, not a puppet network's, or weights that do not fit
    """

    def __init__(self, path: str | Path, *, purpose: str) -> None:
        self.path = Path(path)
        metadata, tensors = _read(self.path, purpose=purpose)
        kind = _KINDS[metadata["kind"]]
        self._input_shape = kind.input_shape
        network = fold_norms(kind.network(kind.config.parse(metadata["config"])))
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise CheckpointError(
                f"The weights in {self.path} do not fit its own configuration; the file is damaged or was "
                "edited: download or train it again."
            ) from error
        self._network = network.requires_grad_(False)

    @property
    def runs_on(self) -> str:
        """Say what runs the network."""
        return "torch, CPU"

    def require_input(self, shape: tuple[int, ...]) -> None:
        """Check the input's shape after the batch axis."""
        if shape != self._input_shape:
            raise CheckpointError(
                f"The network {self.path} takes an input of shape {list(self._input_shape)} per picture, "
                f"{list(shape)} was expected; choose a file of that kind."
            )

    def batch_size(self, most: int) -> int:
        """How many pictures go in at once."""
        return most

    @torch.inference_mode()
    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """Return every output, in the network's order."""
        found = self._network(torch.from_numpy(np.ascontiguousarray(batch, dtype=np.float32)))
        return [output.numpy() for output in (found if isinstance(found, tuple) else (found,))]


def save_network(network: PoseTwin | FaceTwin, path: Path) -> None:
    """Write a network whose batch norms are folded."""
    kind = "pose" if isinstance(network, PoseTwin) else "face"
    tensors = {
        name: (value.half() if value.ndim > 1 else value.float()).contiguous()
        for name, value in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {"format": FORMAT, "kind": kind, "config": network.config.to_json()})


def _read(path: Path, *, purpose: str) -> tuple[Mapping[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(
            f"There is no file {path}; put the network for {purpose.lower()} there, or give its path."
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT or metadata.get("kind") not in _KINDS:
                found = metadata.get("format", "none")
                raise CheckpointError(
                    f"{path} is no network for {purpose.lower()} (its format is '{found}', '{FORMAT}' was "
                    "expected); choose a bundled one, one that 'cyberhost train' made, or an ONNX file."
                )
            return metadata, {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({error}); it is truncated or of another kind: "
            "download or copy it again."
        ) from error
