"""Read a MANO pickle without running any code of it: an unpickler that knows arrays and nothing else.

    the file's name for a thing             what it becomes here
    numpy arrays, dtypes and numbers        _Array, _Kind: bytes and a shape, made into arrays by us
    scipy.sparse csc, csr, coo matrices     _Record with their parts
    chumpy objects (Ch, Select, ...)        _Record with their parts
    object, set, dict and the like          themselves
    anything else                           refused by name, before it is looked up

A pickle is a small program whose power lies in the names that it may ask for; here it gets none but these.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CheckpointError

_NUMBERS = "fiub"  # kinds of dtype that are plain numbers: floats, integers, truth values
_SPARSE = ("csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array")
_DEPTH = 8  # chumpy objects lie in one another; MANO's are two deep
# what pickle raises on damaged files, beside its own UnpicklingError
_UNREADABLE = (
    EOFError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
)


def read_mano_pickle(path: Path) -> dict[str, Any]:
    """Read the arrays of a MANO file by name; what is no array of numbers is left out.

    Raises:   CheckpointError: missing, damaged, asks for code, or holds no arrays by name
    """
    try:
        with path.open("rb") as file:
            content = _Reader(file, encoding="latin1").load()  # MANO's files were written by Python 2
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} cannot be read as a MANO file ({error}), arrays of numbers alone were expected; "
            "take MANO_LEFT.pkl or MANO_RIGHT.pkl as its authors give it out."
        ) from error
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error or "it ends too early"
        raise CheckpointError(
            f"{path} cannot be read as a MANO file ({reason}); it is missing or damaged: check the path, or "
            "download it again."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}, but arrays by name were expected; "
            "give MANO_LEFT.pkl or MANO_RIGHT.pkl."
        )
    found = {str(name): _dense(value) for name, value in content.items()}
    return {name: value for name, value in found.items() if value is not None}


class _Record:
    """Stands in for an object of a foreign class: its fields, and nothing that it can do."""

    kind = ""

    fields: dict[str, Any]

    def __new__(cls, *_: Any) -> "_Record":  # not in __init__, which newer pickles never call
        made = super().__new__(cls)
        made.fields = {}
        return made

    def __setstate__(self, state: Any) -> None:
        self.fields = dict(state) if isinstance(state, dict) else {}


class _Sparse(_Record):
    kind = "csc"


class _RowSparse(_Record):
    kind = "csr"


class _Coordinates(_Record):
    kind = "coo"


class _Chumpy(_Record):
    kind = "chumpy"


class _Kind:
    """Stands in for a dtype."""

    def __init__(self, code: str = "", *_: Any) -> None:
        self.code, self.order = str(code), "|"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype | None:
        """Give numpy's dtype where it is one of plain numbers."""
        if self.code[:1] not in _NUMBERS or not self.code[1:].isdigit():
            return None
        return np.dtype((self.order if self.order in "<>" else "=") + self.code)


class _Array:
    """Stands in for an array: what the file says, until `dense` makes numbers of it."""

    def __init__(self, *_: Any) -> None:
        self.values: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_column, data = state
        dtype = kind.dtype()
        if dtype is not None:
            raw = data.encode("latin1") if isinstance(data, str) else data
            self.values = np.frombuffer(raw, dtype).reshape(shape, order="F" if by_column else "C")


def _array(*_: Any) -> _Array:
    return _Array()


def _number(kind: _Kind, data: str | bytes) -> Any:
    dtype = kind.dtype()
    raw = data.encode("latin1") if isinstance(data, str) else data
    return None if dtype is None else np.frombuffer(raw, dtype)[0].item()


def _new_record(made: Any, *_: Any) -> Any:
    """Stands in for copyreg's _reconstructor, for our own stand-ins only."""
    if made in _RECORDS:
        return made()
    raise pickle.UnpicklingError("it builds an object out of something else than a class that is known")


def _latin1(text: str, *_: Any) -> bytes:
    return text.encode("latin1")


_RECORDS = (_Sparse, _RowSparse, _Coordinates, _Chumpy)
_SPARSE_RECORDS = {"csc": _Sparse, "csr": _RowSparse, "coo": _Coordinates}
_PLAIN: dict[tuple[str, str], Callable[..., Any]] = {
    ("builtins", "object"): object,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("collections", "OrderedDict"): dict,
    ("copyreg", "_reconstructor"): _new_record,
    ("_codecs", "encode"): _latin1,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
}
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_NUMPY_MODULES = (
    "numpy.core.multiarray",
    "numpy._core.multiarray",
    "numpy.core.numeric",
    "numpy._core.numeric",
)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = _OLD_MODULES.get(module, module)
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        if module in _NUMPY_MODULES and name in ("_reconstruct", "scalar"):
            return _array if name == "_reconstruct" else _number
        if module.startswith("scipy.sparse") and name in _SPARSE:
            return _SPARSE_RECORDS[name[:3]]
        if module.partition(".")[0] == "chumpy":
            return _Chumpy
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which could run code, and was refused")


def _dense(value: Any, depth: int = 0) -> np.ndarray | None:
    """Make numbers of a stand-in; None where it holds none."""
    if isinstance(value, _Array):
        return value.values
    if not isinstance(value, _Record) or depth > _DEPTH:
        return None
    fields = {name: _dense(part, depth + 1) for name, part in value.fields.items()}
    if isinstance(value, _Chumpy):
        return _chumpy_values(value.fields, fields)
    return _sparse_values(value.kind, fields, shape=value.fields.get("_shape"))


def _chumpy_values(given: dict[str, Any], fields: dict[str, np.ndarray | None]) -> np.ndarray | None:
    """Read a Ch (its values in x) or a Select (entries idxs of a, in a shape); chumpy has no others here."""
    if fields.get("x") is not None:
        return fields["x"]
    source, chosen = fields.get("a"), fields.get("idxs")
    if source is None or chosen is None:
        return None
    picked = source.ravel()[chosen]
    shape = given.get("preferred_shape")
    return picked if shape is None else picked.reshape(shape)


def _sparse_values(
    kind: str, fields: dict[str, np.ndarray | None], *, shape: tuple[int, int] | None
) -> np.ndarray | None:
    data = fields.get("data")
    if data is None or shape is None:
        return None
    result = np.zeros(tuple(shape), dtype=data.dtype)
    if kind == "coo":
        rows, columns = fields.get("row"), fields.get("col")
    else:
        inner, starts = fields.get("indices"), fields.get("indptr")
        if inner is None or starts is None:
            return None
        outer = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        rows, columns = (inner, outer) if kind == "csc" else (outer, inner)
    if rows is None or columns is None:
        return None
    np.add.at(result, (rows, columns), data)
    return result
