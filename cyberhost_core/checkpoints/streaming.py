"""Write a safetensors file one tensor at a time: its header needs only names, shapes and types.

Memory: one tensor, and its copy in the stored type.
"""

import json
import math
import shutil
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from ..errors import CheckpointError

OnBytes = Callable[[int, int], None]  # (bytes written, bytes in all); raises to cancel

_NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_HEADER_ALIGNMENT = 8


@dataclass(frozen=True)
class Entry:
    """One tensor to be written: what the header says of it, and how it is made when its turn comes."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    make: Callable[[], Tensor]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def write_safetensors(
    path: Path, entries: Mapping[str, Entry], metadata: Mapping[str, str], *, on_bytes: OnBytes
) -> int:
    """Write a file under another name, then rename it; a run that fails or is stopped leaves nothing.

    Wide types come first, then names in order, as safetensors itself sorts them: equal weights and metadata
    give equal bytes. Returns the size of the file.

    Raises:   CheckpointError: the disk has no room, the folder cannot be written to, or a tensor is not what
              its entry says
    """
    ordered = dict(sorted(entries.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])))
    header, total = _header(ordered, metadata), sum(entry.bytes for entry in ordered.values())
    _check_room(path, len(header) + total)
    half_written = path.with_name(path.name + ".partial")
    try:
        with half_written.open("wb") as file:
            file.write(header)
            written = 0
            for name, entry in ordered.items():
                on_bytes(written, total)
                _write(file, name, entry)
                written += entry.bytes
            on_bytes(written, total)
        half_written.replace(path)
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be written ({error.strerror}); it needs {_megabytes(total)} of room in a "
            "folder that may be written to: free some, or give another path."
        ) from error
    finally:
        half_written.unlink(missing_ok=True)
    return len(header) + total


def _header(entries: Mapping[str, Entry], metadata: Mapping[str, str]) -> bytes:
    described: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    offset = 0
    for name, entry in entries.items():
        described[name] = {
            "dtype": _NAMES[entry.dtype],
            "shape": list(entry.shape),
            "data_offsets": [offset, offset + entry.bytes],
        }
        offset += entry.bytes
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _HEADER_ALIGNMENT)
    return struct.pack("<Q", len(text)) + text


def _check_room(path: Path, needed: int) -> None:
    if not path.parent.is_dir():
        raise CheckpointError(f"There is no folder {path.parent} to write {path.name} to; make it first.")
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise CheckpointError(
            f"{path} needs {_megabytes(needed)}, but only {_megabytes(free)} are free there; "
            "free some room, or give a path on another disk."
        )


def _write(file: BinaryIO, name: str, entry: Entry) -> None:
    tensor = entry.make()
    if tuple(tensor.shape) != entry.shape:
        raise CheckpointError(
            f"'{name}' has the shape {list(tensor.shape)}, {list(entry.shape)} was expected; "
            "the file it comes from is damaged: download it again."
        )
    stored = tensor.detach().to(entry.dtype).contiguous()
    if not _is_finite(stored):
        advice = (
            f"above what {entry.dtype} can store; choose bf16"
            if _is_finite(tensor)
            else "that are not finite; the file it comes from is damaged: download it again"
        )
        raise CheckpointError(f"'{name}' holds numbers {advice}.")
    file.write(stored.reshape(-1).view(torch.uint8).numpy().data)


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    # Both pass NaN on, and looking at two numbers is 50 times faster than isfinite on all of them.
    return all(bool(end.isfinite()) for end in tensor.aminmax())


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
