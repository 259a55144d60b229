"""Surfaces follow the joints; a user's MANO file takes their place and cannot run code."""

import builtins
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cyberhost_core.errors import CheckpointError
from cyberhost_core.hands.drawing.capsules import capsule_surfaces
from cyberhost_core.hands.drawing.mano_file import convert_mano, load_mano
from cyberhost_core.hands.drawing.surface import posed, rest_places
from cyberhost_core.hands.skeleton import PARENTS, SIDES

from .mano_files import PLACE_M, SCALE_M, mano_arrays, write_mano

TURNS = Rotation.random(2 * 16, random_state=0).as_matrix().reshape(2, 16, 3, 3)


@pytest.mark.parametrize("side", SIDES)
def test_our_skin_is_closed_and_looks_outward(side):
    surface = capsule_surfaces()[side]
    used = surface.vertices_V3[surface.faces_T3]
    volume = (used[:, 0] * np.cross(used[:, 1], used[:, 2])).sum() / 6
    assert volume > 0
    # poles are many vertices at one place: join them, then every edge is walked once in each direction
    _, place = np.unique(surface.vertices_V3.round(9), axis=0, return_inverse=True)
    faces = place.reshape(-1)[surface.faces_T3]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = {}
    for start, end in edges.tolist():
        count[start, end] = count.get((start, end), 0) + 1
    assert all(count.get((end, start)) == times for (start, end), times in count.items())


@pytest.mark.parametrize("side", SIDES)
def test_skin_stays_as_far_from_its_bone_however_the_hand_bends(side):
    surface = capsule_surfaces()[side]
    rest = rest_places(surface.offsets_P3)
    now = posed(surface, TURNS)
    owner = surface.weights_VJ.argmax(1)
    before = np.linalg.norm(surface.vertices_V3 - rest[owner], axis=-1)
    after = np.linalg.norm(now.vertices_FV3 - now.points_FP3[:, owner], axis=-1)
    np.testing.assert_allclose(after, np.tile(before, (2, 1)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(now.normals_FV3, axis=-1), 1, atol=1e-5)


# --- MANO


def naive_mano(arrays: dict[str, np.ndarray], matrices_J33: np.ndarray, template: np.ndarray) -> np.ndarray:
    """MANO's equations 1-4 written with 4 x 4 matrices, vertex by vertex."""
    joints = arrays["J_regressor"] @ template
    feature = (matrices_J33[1:] - np.eye(3)).ravel()
    shaped = template + arrays["posedirs"] @ feature
    chain, rest = [], []
    for joint, parent in enumerate(PARENTS):
        step = np.eye(4)
        step[:3, :3] = matrices_J33[joint]
        step[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
        chain.append(chain[parent] @ step if parent >= 0 else step)
        back = np.eye(4)
        back[:3, 3] = -joints[joint]
        rest.append(back)
    moved = []
    for vertex, weights in zip(shaped, arrays["weights"], strict=True):
        blend = sum(w * (chain[j] @ rest[j]) for j, w in enumerate(weights))
        moved.append((blend @ np.append(vertex, 1))[:3])
    return np.array(moved)


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mano")
    assert (
        convert_mano(write_mano(folder / "MANO_RIGHT.pkl", mano_arrays()), folder / "r.safetensors")
        == "right"
    )
    return folder / "r.safetensors"


@pytest.mark.parametrize("betas", [(), (1.5, -2.0)])
def test_a_mano_file_bends_by_its_own_equations(converted, betas):
    arrays = mano_arrays()
    arrays["weights"] = 0.7 * arrays["weights"] + 0.3 / 16  # soft weights, as a real skin's
    folder = converted.parent
    convert_mano(write_mano(folder / "soft.pkl", arrays), folder / "soft.safetensors")
    surface = load_mano(folder / "soft.safetensors", betas=betas)
    template = arrays["v_template"] + arrays["shapedirs"][..., : len(betas)] @ np.array(betas)
    wrist = (arrays["J_regressor"] @ template)[0]
    for frame, made in enumerate(posed(surface, TURNS).vertices_FV3):
        wanted = naive_mano(arrays, TURNS[frame], template) - wrist
        scale = (wanted * made).sum() / (made * made).sum()
        np.testing.assert_allclose(made * scale, wanted, atol=2e-6)
        assert 0.8 * SCALE_M < scale < 1.2 * SCALE_M  # one hand length in metres


def test_the_file_is_kept_in_its_own_numbers_and_says_what_it_is(converted):
    from safetensors import safe_open

    with safe_open(converted, framework="np") as file:
        assert file.metadata()["format"] == "cyberhost-mano-1" and file.metadata()["side"] == "right"
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    assert sorted(stored) == [
        "J_regressor", "faces", "parents", "posedirs", "shapedirs", "v_template", "weights"
    ]  # fmt: skip
    arrays = mano_arrays()
    for name in ("v_template", "J_regressor", "weights", "posedirs", "shapedirs"):
        np.testing.assert_allclose(stored[name], arrays[name], atol=1e-6)


def test_a_mano_hand_is_one_hand_long_with_its_wrist_at_0_and_faces_outward(converted):
    surface = load_mano(converted)
    assert np.linalg.norm(rest_places(surface.offsets_P3)[17]) == pytest.approx(1)
    ours = (mano_arrays()["v_template"] - PLACE_M) / SCALE_M
    assert np.ptp(surface.vertices_V3, axis=0) == pytest.approx(np.ptp(ours, axis=0), rel=0.1)
    corners = surface.vertices_V3[surface.faces_T3]
    assert (corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum() > 0


def test_which_hand_it_is_is_seen_from_its_fingers(tmp_path):
    path = write_mano(tmp_path / "whatever.pkl", mano_arrays("left"))
    assert convert_mano(path, tmp_path / "out.safetensors") == "left"
    assert load_mano(tmp_path / "out.safetensors").side == "left"


def test_older_and_newer_pickles_of_the_same_hand_read_alike(tmp_path, converted):
    arrays = {name: value for name, value in mano_arrays().items() if name not in ("shapedirs", "posedirs")}
    for protocol in (0, 2):
        path = write_mano(tmp_path / f"{protocol}.pkl", arrays, protocol=protocol)
        convert_mano(path, tmp_path / "out.safetensors")
        made = load_mano(tmp_path / "out.safetensors")
        np.testing.assert_allclose(made.vertices_V3, load_mano(converted).vertices_V3, atol=1e-6)
        assert made.blends_V3P.shape[-1] == 0
    plain = tmp_path / "plain.pkl"  # without chumpy and scipy, as many pass it on
    plain.write_bytes(pickle.dumps(arrays))
    convert_mano(plain, tmp_path / "out.safetensors")
    np.testing.assert_allclose(
        load_mano(tmp_path / "out.safetensors").vertices_V3, load_mano(converted).vertices_V3, atol=1e-6
    )


class Runs:
    """An object that, read by pickle, calls something."""

    def __init__(self, call, *given):
        self.call, self.given = call, given

    def __reduce__(self):
        return self.call, self.given


@pytest.mark.parametrize("call", ["system", "eval", "getattr", "lambdify", "load"])
def test_a_pickle_that_asks_for_code_is_refused_and_nothing_runs(tmp_path, call):
    mark = tmp_path / "ran"
    asks = {
        "system": Runs(os.system, f"touch {mark}"),
        "eval": Runs(vars(builtins)["eval"], f"open({str(mark)!r}, 'w')"),
        "getattr": Runs(getattr, Path(mark), "touch"),
        "lambdify": Runs(np.save, str(mark), np.zeros(2)),
        "load": Runs(np.load, str(mark)),
    }[call]
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({**mano_arrays(), "extra": asks}))
    with pytest.raises(CheckpointError, match="which could run code, and was refused"):
        convert_mano(path, tmp_path / "out.safetensors")
    assert not mark.exists() and not (tmp_path / "out.safetensors").exists()


def test_what_is_no_mano_hand_is_refused_with_its_fault(tmp_path):
    arrays, out = mano_arrays(), tmp_path / "out.safetensors"
    path = tmp_path / "a.pkl"
    body = np.array([[2**32 - 1, *range(51)], range(52)])
    cases = [
        ({**arrays, "kintree_table": body}, "a body model cannot be used"),
        ({key: value for key, value in arrays.items() if key != "weights"}, "no array 'weights'"),
        ({**arrays, "weights": arrays["weights"][:, :15]}, r"'weights' .* shape \[960, 15\]"),
        ({**arrays, "v_template": arrays["v_template"] * np.nan}, "values that are no numbers"),
        ({**arrays, "f": arrays["f"] + 900}, "do not fit its 960 vertices"),
        ([1, 2], "holds a list"),
    ]
    for content, message in cases:
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(CheckpointError, match=message):
            convert_mano(path, out)
    path.write_bytes(write_mano(path, arrays).read_bytes()[:-2000])
    for damaged, message in ((path, "truncated"), (tmp_path / "gone.pkl", "No such file")):
        with pytest.raises(CheckpointError, match=message):
            convert_mano(damaged, out)
    with pytest.raises(CheckpointError, match="'cyberhost convert mano' first"):
        load_mano(path)
    with pytest.raises(CheckpointError, match="no MANO file"):
        load_mano(out)


def test_shape_numbers_that_the_file_has_no_directions_for_are_refused(converted):
    with pytest.raises(CheckpointError, match="directions for 10"):
        load_mano(converted, betas=(0.0,) * 11)
