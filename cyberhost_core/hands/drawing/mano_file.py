"""A user's own MANO hand in the place of our skin: converted once to safetensors; nothing of it is shipped.

MANO_RIGHT.pkl --convert_mano--> right.safetensors --load_mano--> HandSurface, as long as 1
"""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ...errors import CheckpointError
from ...media.output import writing, written_whole
from ..skeleton import JOINTS, MIDDLE_TIP, PARENTS, TIP_PARENTS, Side
from .mano_pickle import read_mano_pickle
from .surface import HandSurface, rest_places, vertex_normals

FORMAT = "cyberhost-mano-1"
_BLENDS = (JOINTS - 1) * 9  # entries of the matrices of the finger joints
_LICENCE = "MANO's licence: research only, not to be passed on; see https://mano.is.tue.mpg.de"


def convert_mano(pickle_path: str | Path, out: str | Path) -> Side:
    """Write a MANO pickle as safetensors and tell which hand it is.

    The file's numbers are kept as they are: v_template (V, 3), J_regressor (16, V), weights (V, 16), parents
    (16,), faces (T, 3), and where the pickle has them posedirs (V, 3, 135) and shapedirs (V, 3, S).

    Raises:   CheckpointError: the pickle asks for code (nothing of it is run), is damaged, or is no MANO hand
              MediaError: the place takes no file
    """
    path = Path(pickle_path)
    stored = _checked(read_mano_pickle(path), path)
    side: Side = "right" if _rest_offsets(stored)[MIDDLE_TIP, 0] < 0 else "left"
    with written_whole(out) as part, writing(out):
        save_file(stored, part, {"format": FORMAT, "side": side, "licence": _LICENCE})
    return side


def load_mano(path: str | Path, *, betas: tuple[float, ...] = ()) -> HandSurface:
    """Read a converted MANO hand.

    Units:    betas: MANO's own shape numbers, as many as wanted from the first on; the hand is scaled to
              length 1, because HandParameters say how long it is in the picture
    Raises:   CheckpointError: missing, no converted MANO hand, or shape numbers that the file has no
              directions for
    Source:   MANO (Romero et al. 2017) eq. 1-4
    Reads:    the tips, which MANO has no joints for, are the vertices furthest along each finger's last bone
    """
    path = Path(path)
    side, stored = _read(path)
    template = stored["v_template"]
    if betas:
        directions = stored.get("shapedirs", np.zeros((*template.shape, 0)))
        if len(betas) > directions.shape[-1]:
            raise CheckpointError(
                f"{len(betas)} shape numbers were given for {path}, which has directions for "
                f"{directions.shape[-1]}; give at most that many."
            )
        template = template + directions[..., : len(betas)] @ np.array(betas)
    stored = stored | {"v_template": template}
    offsets = _rest_offsets(stored)
    length = np.linalg.norm(rest_places(offsets)[MIDDLE_TIP])
    vertices = (template - (stored["J_regressor"] @ template)[0]) / length
    faces = _facing_out(vertices, stored["faces"])
    return HandSurface(
        side=side,
        vertices_V3=vertices,
        normals_V3=vertex_normals(vertices, faces),
        faces_T3=faces,
        weights_VJ=stored["weights"],
        offsets_P3=offsets / length,
        blends_V3P=stored.get("posedirs", np.zeros((*vertices.shape, 0))) / length,
    )


def _checked(found: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Take the arrays of a MANO hand, in our names, each of the shape it must have."""
    names = {"v_template": "v_template", "J_regressor": "J_regressor", "weights": "weights", "f": "faces"}
    for name in (*names, "kintree_table"):
        if name not in found:
            raise CheckpointError(
                f"{path} has no array '{name}', which every MANO hand has; give MANO_LEFT.pkl or "
                "MANO_RIGHT.pkl."
            )
    tree = found["kintree_table"]
    if tree.shape != (2, JOINTS) or tuple(tree[0, 1:].tolist()) != PARENTS[1:]:
        raise CheckpointError(
            f"The joints of {path} hang together otherwise than a MANO hand's 16 do (kintree_table of shape "
            f"{list(tree.shape)}); a body model cannot be used here: give MANO_LEFT.pkl or MANO_RIGHT.pkl."
        )
    stored = {ours: found[theirs] for theirs, ours in names.items()}
    stored |= {name: found[name] for name in ("posedirs", "shapedirs") if name in found}
    count = len(stored["v_template"])
    expected = {"v_template": (count, 3), "J_regressor": (JOINTS, count), "weights": (count, JOINTS)}
    expected |= {"posedirs": (count, 3, _BLENDS)} if "posedirs" in stored else {}
    for name, shape in expected.items():
        if stored[name].shape != shape or not np.isfinite(stored[name]).all():
            raise CheckpointError(
                f"'{name}' in {path} has the shape {list(stored[name].shape)} or holds values that are no "
                f"numbers, but finite ones of shape {list(shape)} were expected; download it again."
            )
    faces = stored["faces"].astype(np.int64)
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.min() < 0 or faces.max() >= count:
        raise CheckpointError(
            f"The faces in {path} do not fit its {count} vertices (shape {list(faces.shape)}); "
            "download it again."
        )
    numbers = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in stored.items()}
    return numbers | {"faces": faces.astype(np.int32), "parents": np.array(PARENTS, dtype=np.int32)}


def _read(path: Path) -> tuple[Side, dict[str, np.ndarray]]:
    give = "convert MANO_LEFT.pkl or MANO_RIGHT.pkl with 'cyberhost convert mano' first"
    if not path.is_file():
        raise CheckpointError(f"There is no MANO file {path}; check the path, or {give}.")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as safetensors ({error}); {give}.") from error
    if metadata.get("format") != FORMAT or metadata.get("side") not in ("left", "right"):
        raise CheckpointError(
            f"{path} is no converted MANO hand (its format is {metadata.get('format')!r}, {FORMAT!r} was "
            f"expected); {give}."
        )
    return ("left" if metadata["side"] == "left" else "right"), stored


def _rest_offsets(stored: dict[str, np.ndarray]) -> np.ndarray:
    """Measure the bones (21, 3): joints by the file's own regressor, tips by the furthest vertices."""
    vertices = stored["v_template"].astype(np.float64)
    joints = stored["J_regressor"].astype(np.float64) @ vertices
    offsets = np.zeros((JOINTS + len(TIP_PARENTS), 3))
    offsets[1:JOINTS] = joints[1:] - joints[list(PARENTS[1:])]
    owner_V = stored["weights"].argmax(axis=1)
    for tip, last in enumerate(TIP_PARENTS, start=JOINTS):
        along = joints[last] - joints[PARENTS[last]]
        reach_V = np.where(owner_V == last, (vertices - joints[last]) @ along, -np.inf)
        offsets[tip] = vertices[reach_V.argmax()] - joints[last]
    return offsets


def _facing_out(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Turn all faces around if the mesh is inside out: its volume is below 0."""
    one, two, three = (vertices[faces[:, corner]] for corner in range(3))
    volume = (one * np.cross(two, three)).sum()
    return faces if volume > 0 else faces[:, ::-1]
