"""FlatBuffers read as plain data: tables, vectors and strings, every offset checked against the file's end.

table --int32 back--> vtable: its size, the table's size, one uint16 per field (0: the field is not there)
field --uint32 on---> what it refers to: another table, a string, a vector (uint32 length, then values)
"""

import struct
from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError


@dataclass(frozen=True)
class Table:
    """One table of a buffer; fields are asked for by their place in the schema.

    Raises:   CheckpointError: an offset or a length leads out of the file (from every method)
    Source:   FlatBuffers' internals, "Tables" and "Vectors"
    """

    buffer: bytes
    start: int

    @staticmethod
    def root(buffer: bytes, *, identifier: bytes) -> "Table":
        """Find the outermost table of a file that carries a four-letter identifier."""
        if buffer[4:8] != identifier:
            raise CheckpointError(
                f"The file begins with {buffer[4:8]!r} where {identifier!r} was expected; it is of another "
                "kind, or was cut short: download it again."
            )
        return Table(buffer, _number(buffer, 0, "<I"))

    def number(self, field: int, form: str, default: float | bool = 0) -> int:
        """Read an integer or truth value of struct's form, such as "<i", or what the schema assumes."""
        at = self._at(field)
        return int(default if at is None else _number(self.buffer, at, form))

    def text(self, field: int) -> str:
        """Read a string; an absent one is empty."""
        return bytes(self.values(field, np.uint8)).decode("utf-8", errors="replace")

    def table(self, field: int) -> "Table | None":
        """Follow a field to another table."""
        at = self._at(field)
        return None if at is None else Table(self.buffer, self._followed(at))

    def tables(self, field: int) -> list["Table"]:
        """Follow a vector of tables; an absent one is empty."""
        start, length = self._vector(field, 4)
        return [Table(self.buffer, self._followed(start + 4 * index)) for index in range(length)]

    def values(self, field: int, dtype: type[np.generic]) -> np.ndarray:
        """Read a vector of numbers, little end first; an absent one is empty."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, length = self._vector(field, kind.itemsize)
        return np.frombuffer(self.buffer, kind, count=length, offset=start) if length else np.zeros(0, kind)

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        at = self._at(field)
        if at is None:
            return 0, 0
        start = self._followed(at)
        length = _number(self.buffer, start, "<I")
        if start + 4 + length * size > len(self.buffer):
            raise _cut_short(start, len(self.buffer))
        return start + 4, length

    def _at(self, field: int) -> int | None:
        """Where a field's value lies, None for one that was not written."""
        vtable = self.start - _number(self.buffer, self.start, "<i")
        size = _number(self.buffer, vtable, "<H")
        if 4 + 2 * field + 2 > size:
            return None
        offset = _number(self.buffer, vtable + 4 + 2 * field, "<H")
        return self.start + offset if offset else None

    def _followed(self, at: int) -> int:
        return at + _number(self.buffer, at, "<I")


def _number(buffer: bytes, at: int, form: str) -> int:
    if not 0 <= at <= len(buffer) - struct.calcsize(form):  # struct itself would count from the end
        raise _cut_short(at, len(buffer))
    return struct.unpack_from(form, buffer, at)[0]


def _cut_short(at: int, size: int) -> CheckpointError:
    return CheckpointError(
        f"The file refers to its byte {at}, and has {size}; it is damaged or cut short: download it again."
    )
