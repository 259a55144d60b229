"""Read other people's weights one tensor at a time: names, shapes and types first, each tensor when wanted.

    safetensors             mapped into memory
    pickle in a zip         mapped; every .pth, .pt, .ckpt and .bin since torch 1.6
    pickle, older           read whole: it cannot be mapped

Pickles are read with weights_only: one that asks for code is refused. A page of a mapped file counts as this
process's memory until its mapping goes, so files are mapped anew each time that MAPPED_AT_MOST was read.
"""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import CheckpointError

MAPPED_AT_MOST = 64 << 20  # bytes

# what torch.load raises on damaged files of every kind that was tried, beside its own UnpicklingError
_UNREADABLE = (
    RuntimeError,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
)
_STATE_DICTS = ("state_dict", "model_state_dict", "module", "model")  # what training code calls it
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_FOLDER_NAMES = (
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
    "pytorch_model.bin",
    "diffusion_pytorch_model.fp16.bin",
    "pytorch_model.fp16.bin",
)


@dataclass(frozen=True)
class TensorInfo:
    """What a header says of a tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class _Opened:
    tensors: Mapping[str, TensorInfo]
    get: Callable[[str], Tensor]


class Source:
    """One file of weights.

    read_whole: it lies in memory as a whole, because its format cannot be mapped.

    Raises:   CheckpointError: missing, truncated, asks for code, or no weights at all
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open = _opener(path)
        opened = self._open(path)
        self.tensors = opened.tensors
        self.read_whole = self._open is _open_older_pickle
        self._get: Callable[[str], Tensor] | None = opened.get
        self._mapped_bytes = 0
        if not self.read_whole:
            _mapped.add(self)

    @property
    def label(self) -> str:
        """Its name, with its folder's where all downloads use the same name."""
        name = self.path.name
        return f"{self.path.parent.name}/{name}" if name in _FOLDER_NAMES else name

    def read(self, name: str) -> Tensor:
        """Read one tensor; it stays valid however many are read after it."""
        if sum(source._mapped_bytes for source in _mapped) > MAPPED_AT_MOST:
            for source in _mapped:
                source._let_go()
        self._get = self._get or self._open(self.path).get
        tensor = self._get(name)
        self._mapped_bytes += tensor.numel() * tensor.element_size()
        return tensor

    def _let_go(self) -> None:
        self._get, self._mapped_bytes = None, 0


_mapped: "WeakSet[Source]" = WeakSet()


def weights_file(path: Path, *subfolders: str) -> Path:
    """Find the weights of a download: the file itself, or the one in a folder or in a subfolder of it.

    Raises:   CheckpointError: there is none
    """
    if not path.exists():
        raise CheckpointError(f"There is no file or folder {path}; check the path.")
    if path.is_file():
        return path
    for folder in (path, *(path / name for name in subfolders)):
        found = [folder / name for name in _FOLDER_NAMES if (folder / name).is_file()]
        if found:
            return found[0]
    raise CheckpointError(
        f"The folder {path} holds no weights under the names that Hugging Face gives them "
        f"({_FOLDER_NAMES[0]}, {_FOLDER_NAMES[1]}, ...); give the weights file itself."
    )


def _opener(path: Path) -> Callable[[Path], _Opened]:
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be opened ({error.strerror}); a weights file was expected: check the path."
        ) from error
    if head.startswith(b"PK\x03\x04"):
        return _open_pickle
    if head[8:9] == b"{":  # first: the header's length before it may begin as a pickle does
        return _open_safetensors
    if head.startswith(b"\x80"):
        return _open_older_pickle
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(
            f"{path} is only a Git LFS pointer, a few lines in the place of the weights; "
            "download the file itself, or run 'git lfs pull' in its folder."
        )
    raise CheckpointError(
        f"{path} is neither safetensors nor a pickle of weights (it begins with {head[:8]!r}); "
        "download it again, or give another file."
    )


def _open_safetensors(path: Path) -> _Opened:
    try:
        file = safe_open(path, framework="pt").__enter__()
        tensors = {}
        for name in file.keys():  # noqa: SIM118 - no mapping
            part = file.get_slice(name)
            tensors[name] = TensorInfo(tuple(part.get_shape()), _dtype(part.get_dtype(), name, path=path))
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({error}); it is truncated: download it again."
        ) from error
    return _Opened(tensors, file.get_tensor)


def _dtype(text: str, name: str, *, path: Path) -> torch.dtype:
    if text not in _DTYPES:
        raise CheckpointError(
            f"'{name}' in {path} is stored as {text}, which cannot be converted; "
            "give a file in 32 or 16 bits."
        )
    return _DTYPES[text]


def _open_pickle(path: Path) -> _Opened:
    return _opened(_load(path, mmap=True), path)


def _open_older_pickle(path: Path) -> _Opened:
    return _opened(_load(path, mmap=False), path)


def _load(path: Path, *, mmap: bool) -> Any:
    try:
        return torch.load(path, weights_only=True, mmap=mmap, map_location="cpu")
    except pickle.UnpicklingError as error:
        wanted = str(error).partition("GLOBAL ")[2].split(" ")[0] or "code"
        raise CheckpointError(
            f"{path} asks for more than weights ({wanted}), and reading that could run code; "
            "download its .safetensors version."
        ) from error
    except _UNREADABLE as error:
        reason = str(error).partition(".")[0] or "it ends too early"
        raise CheckpointError(
            f"{path} cannot be read as weights ({reason}); it is truncated or of another kind: "
            "download it again."
        ) from error


def _opened(loaded: Any, path: Path) -> _Opened:
    state = _state_dict(loaded)
    if not state:
        raise CheckpointError(
            f"{path} holds no weights by name ({type(loaded).__name__} was found, a state dict was "
            "expected); give another file."
        )
    tensors = {name: TensorInfo(tuple(value.shape), value.dtype) for name, value in state.items()}
    return _Opened(tensors, state.__getitem__)


def _state_dict(loaded: Any) -> dict[str, Tensor]:
    """Find the tensors by name; whatever else training code stored beside them is no weight."""
    if not isinstance(loaded, Mapping):
        return {}
    nested = [loaded[name] for name in _STATE_DICTS if isinstance(loaded.get(name), Mapping)]
    return {name: value for name, value in (nested or [loaded])[0].items() if isinstance(value, Tensor)}
