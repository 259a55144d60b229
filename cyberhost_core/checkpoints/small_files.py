"""Small networks on disk, one file each: weights, and format and configuration in the metadata.

gesture models, gesture features, pose discriminators; whole systems are in `file`
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import CheckpointError

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class SmallFile:
    """One kind of file: its format, what it holds in words, and how a user gets one ("make one with ...")."""

    format: str
    holds: str
    get: str

    def write(self, path: Path, tensors: Mapping[str, Tensor], **metadata: str) -> None:
        """Write a file of this kind; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        save_file(stored, path, {"format": self.format, **metadata})

    def read(self, path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
        """Read metadata and tensors.

        Raises:   CheckpointError: no file, damaged, or of another kind
        """
        if not path.is_file():
            raise CheckpointError(f"There is no {self.holds} at {path}; check the path, or {self.get}.")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path} cannot be read as safetensors ({error}); it is truncated or of another kind: "
                f"copy it again, or {self.get}."
            ) from error
        if metadata.get("format") != self.format:
            raise CheckpointError(
                f"{path} holds no {self.holds} (its format is '{metadata.get('format', 'none')}', "
                f"'{self.format}' was expected); {self.get}."
            )
        return metadata, tensors

    def filled(self, module: Module, tensors: Mapping[str, Tensor], *, path: Path) -> Module:
        """Give a module the weights of a file, frozen and in evaluation mode.

        Raises:   CheckpointError: they do not fit
        """
        try:
            module.load_state_dict(dict(tensors))
        except RuntimeError as error:
            raise CheckpointError(
                f"The weights in {path} do not fit the file's own configuration; the file is damaged or was "
                f"edited: copy it again, or {self.get}."
            ) from error
        return module.eval().requires_grad_(False)
