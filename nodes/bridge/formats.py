"""What kind of file a .safetensors is, by its header alone, so that every list offers what its node reads."""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import folder_paths

from .folders import KEY

GESTURES, MANO, HAND_TRACK = "cyberhost-gestures", "cyberhost-mano", "cyberhost-hand-track"
CLASSIFIERS, PEOPLE = "cyberhost-classifiers", "cyberhost-people-detector"
UNREADABLE = "unreadable"  # offered everywhere, because only the node that reads it can say what is wrong
_LENGTH_BYTES, _LONGEST_HEADER = 8, 1 << 26


def listed(fits: Callable[[str], bool]) -> list[str]:
    """List the .safetensors files of models/cyberhost whose kind fits."""
    names = [name for name in folder_paths.get_filename_list(KEY) if name.endswith(".safetensors")]
    return [name for name in names if fits(kind(Path(folder_paths.get_full_path(KEY, name) or name)))]


def kind(path: Path) -> str:
    """Tell a file's format without its version ("cyberhost-gestures"), "" for files of other makers."""
    try:
        stat = path.stat()
    except OSError:
        return UNREADABLE
    return _kind(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1024)
def _kind(path: Path, changed_ns: int, size: int) -> str:  # noqa: ARG001 - both tell versions apart
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            header = json.loads(file.read(min(length, _LONGEST_HEADER)))
        return str(header.get("__metadata__", {}).get("format", "")).rpartition("-")[0]
    except (OSError, ValueError, AttributeError):
        return UNREADABLE
