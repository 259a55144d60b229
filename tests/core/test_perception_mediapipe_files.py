"""MediaPipe's networks out of their wheel, against the runtime that they were made for; opt-in, by variables.

pip download --no-deps --only-binary=:all: --platform=manylinux_2_28_x86_64 --implementation=cp \\
    --python-version=3.11 mediapipe==0.10.21
CYBERHOST_MEDIAPIPE=mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl \\
    pytest -m weights tests/core/test_perception_mediapipe_files.py

The comparison needs ai-edge-litert (extra dev, on Linux) and is skipped without it.
"""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from cyberhost_core.errors import CheckpointError
from cyberhost_core.perception import mediapipe_files
from cyberhost_core.perception.mediapipe_files import SOURCES, fetch_people_detector
from cyberhost_core.perception.people_file import holds_people_networks, load_people_networks

RESULTS = {
    "pose_detection": 2,
    "pose_landmark": 5,
    "palm_detection": 2,
    "hand_landmark": 4,
    "face_landmark": 2,
}


def wheel() -> Path:
    path = os.environ.get("CYBERHOST_MEDIAPIPE")
    if not path:
        pytest.skip("CYBERHOST_MEDIAPIPE names no wheel")
    return Path(path)


@pytest.fixture(scope="module")
def people_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("people") / "people.safetensors"
    fetch_people_detector(path, wheel=wheel())
    return path


def pictures(side: int) -> dict[str, np.ndarray]:
    """Noise, a photograph and the face in it, as the networks take them: (1, side, side, 3) in 0..1."""
    photograph = pytest.importorskip("skimage.data").astronaut()
    cuts = {"photograph": photograph, "face": photograph[30:220, 130:320]}
    resized = {
        name: np.asarray(Image.fromarray(cut).resize((side, side))) / 255 for name, cut in cuts.items()
    }
    resized["noise"] = np.random.default_rng(0).random((side, side, 3))
    return {name: picture[None].astype(np.float32) for name, picture in resized.items()}


@pytest.mark.weights
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("delegates", [True, False], ids=["xnnpack", "plain kernels"])
def test_every_result_is_that_of_the_original_runtime(name: str, delegates: bool, people_file: Path) -> None:
    """To 1e-3 of a result's largest value, or of 1: coordinates are pixels, and go up to hundreds."""
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    kinds = litert.OpResolverType
    theirs = litert.Interpreter(
        model_content=zipfile.ZipFile(wheel()).read(SOURCES[name].path),
        experimental_op_resolver_type=kinds.BUILTIN if delegates else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    theirs.allocate_tensors()
    ours = load_people_networks(people_file, {name: range(RESULTS[name])})[name]
    for picture in pictures(ours.input_px).values():
        theirs.set_tensor(theirs.get_input_details()[0]["index"], picture)
        theirs.invoke()
        expected = [theirs.get_tensor(result["index"]) for result in theirs.get_output_details()]
        for mine, other in zip(ours.run(picture), expected, strict=True):
            assert np.abs(mine - other).max() <= 1e-3 * max(1.0, np.abs(other).max())


@pytest.mark.weights
def test_the_file_says_whose_networks_it_holds(people_file: Path) -> None:
    assert holds_people_networks(people_file)
    with safe_open(people_file, framework="np") as file:
        metadata = file.metadata()
    assert metadata["licence"] == "Apache-2.0"
    assert "MediaPipe Authors" in metadata["notice"]
    assert "Apache License" in metadata["licence_text"]
    files = json.loads(metadata["sources"])["files"]
    assert files["pose_detection"]["sha256"] == SOURCES["pose_detection"].sha256


@pytest.mark.weights
def test_a_wheel_its_folder_and_what_was_unpacked_give_the_same_bytes(
    people_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / wheel().name).symlink_to(wheel().resolve())
    zipfile.ZipFile(wheel()).extractall(tmp_path / "unpacked")
    for folder in ("held", "unpacked"):
        fetch_people_detector(tmp_path / "other.safetensors", wheel=tmp_path / folder)
        assert (tmp_path / "other.safetensors").read_bytes() == people_file.read_bytes()


def small_wheel(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mediapipe-0.10.21.dist-info/LICENSE", "terms")
        for name, data in files.items():
            archive.writestr(SOURCES[name].path, data)
    return path


def test_another_version_is_refused_by_its_hash(tmp_path: Path) -> None:
    other = small_wheel(tmp_path / "other.whl", pose_detection=b"other numbers")
    with pytest.raises(CheckpointError, match=r"pose_detection\.tflite has the SHA-256 .* was expected"):
        fetch_people_detector(tmp_path / "out.safetensors", wheel=other)
    assert not (tmp_path / "out.safetensors").exists()


def test_a_wheel_without_networks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"does not hold .*pose_detection\.tflite"):
        fetch_people_detector(tmp_path / "out.safetensors", wheel=small_wheel(tmp_path / "empty.whl"))


def test_a_file_inside_that_unpacks_to_far_more_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mediapipe-0.10.21.dist-info/LICENSE", bytes(17_000_000))
    with pytest.raises(CheckpointError, match="does not hold"):
        fetch_people_detector(tmp_path / "out.safetensors", wheel=path)


@pytest.mark.parametrize("kind", ["folder", "text", "absent"])
def test_what_is_no_wheel_is_refused_with_the_command_that_gets_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("not a wheel", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"get it with: pip download --no-deps .*mediapipe==0\.10\.21"):
        fetch_people_detector(tmp_path / "out.safetensors", wheel=path)


def test_without_a_wheel_pip_is_asked_and_what_it_says_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.extend(command)
        return subprocess.CompletedProcess(command, 1, "", "ERROR: first\nERROR: no network")

    monkeypatch.setattr(mediapipe_files.subprocess, "run", run)
    with pytest.raises(CheckpointError, match=r"could not download .* \(ERROR: no network\)"):
        fetch_people_detector(tmp_path / "out.safetensors")
    assert asked[1:4] == ["-m", "pip", "download"] and "--no-deps" in asked
    assert asked[-1] == "mediapipe==0.10.21"


def test_other_files_are_no_people_detector(tmp_path: Path) -> None:
    (tmp_path / "damaged.safetensors").write_bytes(b"12345678901")
    assert not holds_people_networks(tmp_path / "damaged.safetensors")
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        load_people_networks(tmp_path / "damaged.safetensors", {"pose_detection": [0]})
    with pytest.raises(CheckpointError, match="There is no file"):
        load_people_networks(tmp_path / "absent.safetensors", {"pose_detection": [0]})
