"""Small .tflite files, written by hand for the tests of their reader.

A table is a dict {field: value}; a value is a number with its form (("<i", 3)), a string, an array, a table
or a list of tables.
"""

import struct
from typing import Any

import numpy as np

CONV, DEPTHWISE, DENSIFY, DEQUANTIZE, LOGISTIC = 3, 4, 124, 6, 14
FLOAT32, FLOAT16, INT32 = 0, 1, 2
TYPES = {"float32": FLOAT32, "float16": FLOAT16, "int32": INT32}


def flatbuffer(root: dict, *, identifier: bytes = b"TFL3") -> bytes:
    out = bytearray(4) + bytearray(identifier)
    struct.pack_into("<I", out, 0, _write(out, root))
    return bytes(out)


def _write(out: bytearray, value: Any) -> int:
    if isinstance(value, dict):
        return _table(out, value)
    if isinstance(value, str):
        value = np.frombuffer(value.encode(), np.uint8)
    out += bytes(-len(out) % 4)
    start = len(out)
    out += struct.pack("<I", len(value))
    if isinstance(value, np.ndarray):
        out += value.tobytes()
        return start
    out += bytes(4 * len(value))
    for place, item in enumerate(value):
        at = start + 4 + 4 * place
        struct.pack_into("<I", out, at, _write(out, item) - at)
    return start


def _table(out: bytearray, fields: dict[int, Any]) -> int:
    count = max(fields, default=-1) + 1
    out += bytes(-len(out) % 4)
    vtable = len(out)
    places = [4 + 4 * place if place in fields else 0 for place in range(count)]
    out += struct.pack(f"<{2 + count}H", 4 + 2 * count, 4 + 4 * count, *places)
    out += bytes(-len(out) % 4)
    start = len(out)
    out += struct.pack("<i", start - vtable) + bytes(4 * count)
    for field, value in fields.items():
        at = start + places[field]
        if isinstance(value, tuple):
            struct.pack_into(value[0], out, at, value[1])
        else:
            struct.pack_into("<I", out, at, _write(out, value) - at)
    return start


def tensor(shape: tuple[int, ...], buffer: int = 0, *, dtype: str = "float32", sparsity: Any = None) -> dict:
    fields = {0: np.array(shape, np.int32), 1: ("<b", TYPES[dtype]), 2: ("<I", buffer), 3: "t"}
    return fields | ({6: sparsity} if sparsity else {})


def operation(index: int, inputs: list[int], outputs: list[int], options: dict | None = None) -> dict:
    fields = {0: ("<I", index), 1: np.array(inputs, np.int32), 2: np.array(outputs, np.int32)}
    return fields | ({4: options} if options is not None else {})


def model(codes: list[int], tensors: list[dict], operations: list[dict], buffers: list[np.ndarray]) -> bytes:
    """One graph whose input is its first tensor and whose result is its last; buffer 0 is empty."""
    graph = {
        0: tensors,
        1: np.array([0], np.int32),
        2: np.array([len(tensors) - 1], np.int32),
        3: operations,
    }
    stored = [{}, *({0: np.frombuffer(buffer.tobytes(), np.uint8)} for buffer in buffers)]
    return flatbuffer(
        {
            0: ("<I", 3),
            1: [{0: ("<b", min(code, 127)), 3: ("<i", code)} for code in codes],
            2: [graph],
            4: stored,
        }
    )


def conv_model(weight: np.ndarray, bias: np.ndarray, *, stride: int, padding: int, then: int = 0) -> bytes:
    """One convolution of a (1, 7, 6, C) picture; weights (outputs, Y, X, C) in 16 bit, unpacked first."""
    outputs, _, _, channels = weight.shape
    options = {0: ("<b", padding), 1: ("<i", stride), 2: ("<i", stride), 3: ("<b", then)}
    return model(
        [DEQUANTIZE, CONV],
        [
            tensor((1, 7, 6, channels)),
            tensor(weight.shape, 1, dtype="float16"),
            tensor(weight.shape),
            tensor(bias.shape, 2),
            tensor((1, -(-7 // stride), -(-6 // stride), outputs)),
        ],
        [operation(0, [1], [2]), operation(1, [0, 2, 3], [4], options)],
        [weight.astype(np.float16), bias.astype(np.float32)],
    )


def sparse_model(dense: np.ndarray) -> bytes:
    """A matrix that stores, row by row, only the places that are not zero; it is a convolution's weight."""
    rows, columns = dense.shape
    places = [np.flatnonzero(row) for row in dense]
    segments = np.cumsum([0, *map(len, places)]).astype(np.int32)
    levels = [
        {0: ("<b", 0), 1: ("<i", rows)},
        {0: ("<b", 0), 1: ("<i", 1)},
        {0: ("<b", 0), 1: ("<i", 1)},
        {
            0: ("<b", 1),
            2: ("<B", 1),
            3: {0: segments},
            4: ("<B", 3),
            5: {0: np.concatenate(places).astype(np.uint8)},
        },
    ]
    sparsity = {0: np.arange(4, dtype=np.int32), 2: levels}
    shape = (rows, 1, 1, columns)
    options = {0: ("<b", 1), 1: ("<i", 1), 2: ("<i", 1)}
    return model(
        [DENSIFY, CONV],
        [
            tensor((1, 2, 2, columns)),
            tensor(shape, 1, sparsity=sparsity),
            tensor(shape),
            tensor((rows,), 2),
            tensor((1, 2, 2, rows)),
        ],
        [operation(0, [1], [2]), operation(1, [0, 2, 3], [4], options)],
        [dense[dense != 0].astype(np.float32), np.zeros(rows, np.float32)],
    )
