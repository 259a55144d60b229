"""An outside network as the detectors use it, whatever kind of file it comes from.

.safetensors -> TorchNetwork, needs nothing beside torch      anything else -> OnnxNetwork, needs onnxruntime
"""

from pathlib import Path
from typing import Protocol

import numpy as np

from .onnx_session import OnnxNetwork
from .torch_network import TorchNetwork


class Network(Protocol):
    """Runs on batches of pictures (N, C, Y, X) float32 and gives all its outputs."""

    path: Path

    @property
    def runs_on(self) -> str: ...

    def require_input(self, shape: tuple[int, ...]) -> None: ...

    def batch_size(self, most: int) -> int: ...

    def run(self, batch: np.ndarray) -> list[np.ndarray]: ...


def open_network(path: str | Path, *, purpose: str) -> Network:
    """Open a network's file.

    Raises:   MissingExtraError, CheckpointError: see OnnxNetwork and TorchNetwork
    """
    is_torch = Path(path).suffix.lower() == ".safetensors"
    return TorchNetwork(path, purpose=purpose) if is_torch else OnnxNetwork(path, purpose=purpose)
