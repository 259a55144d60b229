"""Pickles of the same structure as MANO's, filled with our own hand: written as Python 2 wrote them.

MANO's files hold numpy arrays, a scipy.sparse matrix, and shapedirs as a chumpy Select over a chumpy Ch.
"""

import io
import pickle
import struct
import sys
import types
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csc_matrix

from cyberhost_core.hands.drawing.capsules import capsule_surfaces
from cyberhost_core.hands.skeleton import PARENTS, Side

SCALE_M, PLACE_M = 0.19, np.array((0.095, 0.006, 0.006))  # a real hand's length, and its wrist's place


def mano_arrays(side: Side = "right") -> dict[str, np.ndarray]:
    """Our surface in MANO's terms, with pose blends rolled."""
    surface = capsule_surfaces()[side]
    count = len(surface.vertices_V3)
    regressor = np.zeros((16, count))
    for joint in range(16):  # the ring of eight around the beginning of a bone that the joint moves
        bone = next(n for n, owner in enumerate(surface.weights_VJ[::48].argmax(1)) if owner == joint)
        regressor[joint, 48 * bone + 16 : 48 * bone + 24] = 1 / 8
    rng = np.random.default_rng(0)
    return {
        "v_template": surface.vertices_V3 * SCALE_M + PLACE_M,
        "J_regressor": regressor,
        "weights": surface.weights_VJ,
        "f": surface.faces_T3.astype(np.uint32),
        "kintree_table": np.array([[2**32 - 1, *PARENTS[1:]], range(16)]),
        "posedirs": rng.normal(0, 1e-3, (count, 3, 135)),
        "shapedirs": rng.normal(0, 1e-3, (count, 3, 10)),
        "hands_mean": rng.normal(size=45),
    }


def write_mano(path: Path, arrays: dict[str, np.ndarray], *, protocol: int = 2) -> Path:
    """Write arrays as MANO's own kinds of object."""
    with chumpy() as (Ch, Select):
        content: dict[str, Any] = dict(arrays)
        content["J_regressor"] = csc_matrix(arrays["J_regressor"])
        content["bs_type"] = "lrotmin"
        if "shapedirs" in arrays:
            content["shapedirs"] = Select(Ch(arrays["shapedirs"]), arrays["shapedirs"].shape)
        if "v_template" in arrays:
            content["v_template"] = Ch(arrays["v_template"])
        file = io.BytesIO()
        _Python2(file, protocol=protocol).dump(content)
    text = file.getvalue().replace(b"cscipy.sparse._csc\n", b"cscipy.sparse.csc\n")
    path.write_bytes(text.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    return path


@contextmanager
def chumpy():
    """Make classes that pickle under chumpy's names, with what chumpy objects carry along."""

    class Ch:
        def __init__(self, x: np.ndarray):
            self.x, self._dirty_vars, self._itr, self._depends_on_deps = x, {"x"}, None, {}

    class Select:
        def __init__(self, a: Ch, shape: tuple[int, ...]):
            flat = a.x.ravel()
            order = np.random.default_rng(1).permutation(flat.size)
            shuffled = np.empty_like(flat)
            shuffled[order] = flat  # so that flat = shuffled[order]
            self.a, self.idxs, self.preferred_shape, self._dirty_vars = Ch(shuffled), order, shape, set()

    modules = {"chumpy": types.ModuleType("chumpy")}
    for made, module in ((Ch, "chumpy.ch"), (Select, "chumpy.reordering")):
        made.__module__, made.__qualname__ = module, made.__name__
        modules[module] = types.ModuleType(module)
        setattr(modules[module], made.__name__, made)
    sys.modules.update(modules)
    try:
        yield Ch, Select
    finally:
        for module in modules:
            del sys.modules[module]


class _Python2(pickle._Pickler):
    """Write strings and bytes alike as Python 2's str."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_text(self, text: str | bytes) -> None:
        raw = text.encode("latin1") if isinstance(text, str) else text
        if self.bin:
            self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        else:
            self.write(pickle.STRING + repr(raw)[1:].encode("ascii") + b"\n")
        self.memoize(text)

    dispatch[str] = dispatch[bytes] = save_text
