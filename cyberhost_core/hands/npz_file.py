"""Arrays from npz files of others: no code of theirs runs, no array is larger than it may be."""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import MediaError

LARGEST_BYTES = (
    1 << 28
)  # of one array: whole poses of 55 joints in double precision, two hours at 30 per second
MOST_FRAMES = 250_000


@dataclass(frozen=True, eq=False)
class Arrays:
    """Hold arrays of a file by name, float64 and finite."""

    path: Path
    by_name: dict[str, np.ndarray]

    def rows(self, name: str, *shapes: tuple[int, ...], count: int | None = None, advice: str) -> np.ndarray:
        """Take an array whose rows have one of some shapes; axes of length 1 do not count.

        Shapes:   result (count, *one of the shapes); count None for any
        Raises:   MediaError: it is missing, or of another shape; advice says what to do
        """
        found = self.by_name.get(name)
        if found is not None and found.ndim and count in (None, len(found)):
            shape = tuple(side for side in found.shape[1:] if side != 1)
            if shape in shapes:
                return found.reshape(len(found), *shape)
        came = "is missing" if found is None else f"has the shape {list(found.shape)}"
        wanted = " or ".join(str(["N" if count is None else count, *shape]) for shape in shapes)
        raise MediaError(f"{self.path}, '{name}', {came}, but {wanted} was expected; {advice}.")

    def number(self, name: str, *, advice: str) -> float | None:
        """Take a single number, None where there is none of that name.

        Raises:   MediaError: there are more than one
        """
        found = self.by_name.get(name)
        if found is not None and found.size != 1:
            raise MediaError(
                f"{self.path}, '{name}', holds {found.size} numbers, but one was expected; {advice}."
            )
        return None if found is None else float(found.reshape(()))


def array_names(path: Path) -> list[str]:
    """List what a file holds; nothing is unpacked.

    Raises:   MediaError: it is no npz file
    """
    with _opened(path) as archive:
        return sorted(archive.files)


def read_numbers(path: Path, names: Iterable[str]) -> Arrays:
    """Read those of the named arrays that are there.

    Raises:   MediaError: damaged, larger than LARGEST_BYTES, something else than finite numbers
    """
    with _opened(path) as archive:
        there = [name for name in names if name in archive.files]
        return Arrays(path, {name: _numbers(archive, name, path) for name in there})


@contextmanager
def _opened(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    try:
        if path.is_file() and not zipfile.is_zipfile(path):
            raise ValueError("not an archive of arrays")
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except (
        OSError,
        ValueError,
        RuntimeError,
        EOFError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise MediaError(
            f"{path} cannot be read as npz ({error}), but arrays of numbers that numpy.savez wrote were "
            "expected; export it again."
        ) from error


def _numbers(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> np.ndarray:
    assert archive.zip is not None, "open"
    size = archive.zip.getinfo(f"{name}.npy").file_size
    if size > LARGEST_BYTES:
        raise MediaError(
            f"{path}, '{name}', is {size / 2**20:.0f} MiB large, but at most {LARGEST_BYTES / 2**20:.0f} MiB "
            "were expected; cut the file into shorter ones."
        )
    found = archive[name]
    if found.dtype.kind not in "fiub" or not np.isfinite(found).all():
        raise MediaError(
            f"{path}, '{name}', holds {found.dtype} or values that are not numbers (NaN or infinity), but "
            "finite numbers were expected; export it again without what was not detected."
        )
    return found.astype(np.float64)
