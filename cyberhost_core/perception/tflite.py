"""A TensorFlow Lite graph read as plain data: tensors, and the operations between them. Nothing is run.

Only what plain float networks hold: float32, float16 and int32 tensors, dense or sparse. Options of an
operation stay a table, which whoever knows the operation reads (tflite_steps).
"""

from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError
from .flatbuffer import Table

IDENTIFIER = b"TFL3"
_TYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.float16, 2: np.int32}
_INDICES: dict[int, type[np.generic]] = {1: np.int32, 2: np.uint16, 3: np.uint8}
_MOST_NUMBERS = 1 << 23  # of one tensor; the largest that these networks compute has 2.4 million


@dataclass(frozen=True)
class Tensor:
    """A value of the graph; data is None for what is computed, and flat and dense for a constant."""

    name: str
    shape: tuple[int, ...]
    data: np.ndarray | None


@dataclass(frozen=True)
class Operation:
    """One operation by its number in TensorFlow Lite's list; its tensors, one at least, by their index."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None


@dataclass(frozen=True)
class Graph:
    """One network: its operations in the order in which they run."""

    tensors: list[Tensor]
    operations: list[Operation]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_tflite(data: bytes) -> Graph:
    """Read the one graph of a .tflite file.

    Raises:   CheckpointError: another kind of file, a damaged one, or tensors that are no plain numbers
    Source:   TensorFlow Lite's schema.fbs, version 3; the numbers below are places of fields in it
    """
    model = Table.root(data, identifier=IDENTIFIER)
    graphs = model.tables(2)
    if len(graphs) != 1:
        raise _unusable(f"holds {len(graphs)} graphs, one")
    codes = [max(code.number(0, "<b"), code.number(3, "<i")) for code in model.tables(1)]
    buffers = model.tables(4)
    graph = graphs[0]
    tensors = [_tensor(table, buffers) for table in graph.tables(0)]
    operations = [_operation(table, codes, len(tensors)) for table in graph.tables(3)]
    return Graph(
        tensors,
        operations,
        _indices(graph.values(1, np.int32), len(tensors)),
        _indices(graph.values(2, np.int32), len(tensors)),
    )


def _operation(table: Table, codes: list[int], tensors: int) -> Operation:
    index = table.number(0, "<I")
    if index >= len(codes):
        raise _unusable(f"names operation {index} of {len(codes)}, one of those")
    return Operation(
        codes[index],
        _indices(table.values(1, np.int32), tensors),
        _indices(table.values(2, np.int32), tensors),
        table.table(4),
    )


def _indices(values: np.ndarray, tensors: int) -> tuple[int, ...]:
    found = tuple(int(value) for value in values)
    if not found or min(found) < 0 or max(found) >= tensors:
        raise _unusable(f"names the tensors {list(found)}, some of its {tensors}")
    return found


def _tensor(table: Table, buffers: list[Table]) -> Tensor:
    shape = tuple(int(size) for size in table.values(0, np.int32))
    if any(size < 0 for size in shape) or np.prod(shape, dtype=np.float64) > _MOST_NUMBERS:
        raise _unusable(f"holds a tensor of shape {list(shape)}, a smaller one")
    buffer = table.number(2, "<I")
    if buffer >= len(buffers):
        raise _unusable(f"names buffer {buffer} of {len(buffers)}, one of those")
    raw = buffers[buffer].values(0, np.uint8)
    if not len(raw):
        return Tensor(table.text(3), shape, None)
    kind = table.number(1, "<b")
    if kind not in _TYPES:
        raise _unusable(f"holds a constant of type {kind}, float32, float16 or int32")
    dtype = np.dtype(_TYPES[kind]).newbyteorder("<")
    if len(raw) % dtype.itemsize:
        raise _unusable(f"holds a constant of {len(raw)} bytes, whole numbers of {dtype.itemsize} bytes")
    values = raw.view(dtype)
    sparsity = table.table(6)
    if sparsity is not None:
        values = _dense(values, shape, sparsity)
    if values.size != np.prod(shape, dtype=np.int64):
        raise _unusable(f"holds {values.size} numbers for a tensor of shape {list(shape)}, as many")
    return Tensor(table.text(3), shape, values)


def _dense(values: np.ndarray, shape: tuple[int, ...], sparsity: Table) -> np.ndarray:
    """Write a sparse tensor's numbers where they belong.

    The tensor's axes, and blocks within them, are stored one inside the other in the traversal's order. Each
    level either lists all its places or, for every position so far, only those that are not zero.

    Source:   TensorFlow Lite's schema.fbs, SparsityParameters
    """
    order, block_axes = sparsity.values(0, np.int32), sparsity.values(1, np.int32)
    levels = sparsity.tables(2)
    known = sorted(order.tolist()) == list(range(len(shape) + len(block_axes)))
    if not known or len(levels) != len(order) or not np.isin(block_axes, range(len(shape))).all():
        raise _unusable("holds a sparse tensor whose axes do not add up, matching ones")
    block_sizes = [
        levels[order.tolist().index(len(shape) + at)].number(1, "<i") for at in range(len(block_axes))
    ]
    places = np.zeros((1, len(shape)), dtype=np.int64)
    for axis, level in zip(order.tolist(), levels, strict=True):
        parents, inner = _level(level, len(places), most=int(np.prod(shape, dtype=np.int64)))
        places = places[parents]
        if axis < len(shape):
            blocks = [size for own, size in zip(block_axes, block_sizes, strict=True) if own == axis]
            places[:, axis] += inner * int(np.prod(blocks, dtype=np.int64))
        else:
            places[:, block_axes[axis - len(shape)]] += inner
    if len(places) != len(values) or not (places < np.array(shape)).all():
        raise _unusable(f"holds {len(values)} numbers for {len(places)} places of {list(shape)}, as many")
    dense = np.zeros(shape, dtype=values.dtype)
    dense[tuple(places.T)] = values
    return dense.reshape(-1)


def _level(level: Table, positions: int, *, most: int) -> tuple[np.ndarray, np.ndarray]:
    """For every entry of one level: the position of the level before that it lies in, and its own place."""
    if level.number(0, "<b") == 0:
        size = level.number(1, "<i")
        if size < 0 or size * positions > most:
            raise _unusable(f"holds a sparse level of {size} places, fewer")
        return np.repeat(np.arange(positions), size), np.tile(np.arange(size), positions)
    segments, indices = _sparse_values(level, 2), _sparse_values(level, 4)
    counts = np.diff(segments)
    if len(counts) != positions or (counts < 0).any() or counts.sum() != len(indices):
        raise _unusable(f"holds {len(counts)} sparse segments for {positions} positions, as many")
    return np.repeat(np.arange(positions), counts), indices


def _sparse_values(level: Table, field: int) -> np.ndarray:
    kind, vector = level.number(field, "<B"), level.table(field + 1)
    if kind not in _INDICES or vector is None:
        raise _unusable(f"holds sparse indices of kind {kind}, 8, 16 or 32 bits")
    return vector.values(0, _INDICES[kind]).astype(np.int64)


def _unusable(what: str) -> CheckpointError:
    return CheckpointError(
        f"The .tflite file {what} was expected; it is damaged, or no plain float network: download it again."
    )
