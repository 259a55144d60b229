"""Write a file whole or not at all.

    writer -> .talk.part-4711.mp4 --(on success)--> talk.mp4
                                  --(on any error)-> removed

The hidden file lies in the target's own folder, so that the last step is a rename on one disk, not a copy.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.error import FFmpegError

from ..errors import MediaError

_LONGEST_STEM = 100  # file names end at 255 bytes, and the hidden name is longer than the target's


def ensure_writable(path: str | Path, *, suffixes: tuple[str, ...] = ()) -> None:
    """Check that a file can be written here, before any work is spent on it.

    A real file is made and removed, because permission bits alone say little (read-only disks, Windows).
    Folders that do not exist yet are fine as long as they can be made; none is made here.

    Raises:   MediaError: the path is a folder, ends with none of `suffixes`, or its folder takes no files
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise MediaError(
            f"Cannot write {path}: its name must end with {' or '.join(suffixes)}; give such a name."
        )
    if path.is_dir():
        raise MediaError(f"Cannot write {path}: it is a folder; give the name of a file in it.")
    probe = _hidden(_nearest_existing(path.parent) / path.name)
    with writing(path):
        probe.touch(exist_ok=False)
        probe.unlink()


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Lend a hidden path beside the target; rename it to the target on success, remove it on any error.

    Raises:   MediaError: the folder cannot be made, or the finished file cannot be moved into place
    """
    path = Path(path)
    part = _hidden(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        with writing(path):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn what the disk or the encoder says into one sentence about the target.

    Raises:   MediaError: anything the operating system or FFmpeg refused
    """
    try:
        yield
    except (OSError, FFmpegError) as error:
        raise MediaError(
            f"Cannot write {path}: {error.strerror or error}; choose a folder that takes files and has room."
        ) from error


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.stem[:_LONGEST_STEM]}.part-{os.getpid()}{path.suffix}")


def _nearest_existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
