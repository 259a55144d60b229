"""doctor says what is there, and its exit code says whether the demo can run."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cyberhost_core import bundled
from cyberhost_core.cli import examination
from cyberhost_core.cli.main import FAULT, OK, main
from cyberhost_core.errors import CheckpointError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in for an installation that lacks nothing; gives its folder of bundled files."""
    files = {
        "CHECKPOINT": "tiny.safetensors",
        "HANDS_CHECKPOINT": "tiny-emo2.safetensors",
        "UNIFIED_CHECKPOINT": "tiny-paha.safetensors",
        "CLASSIFIERS": "tiny-classifiers.safetensors",
        "HANDS_CLASSIFIERS": "tiny-emo2-classifiers.safetensors",
        "UNIFIED_CLASSIFIERS": "tiny-paha-classifiers.safetensors",
        "GESTURES": "tiny-gestures.safetensors",
        "POSE_DETECTOR": "puppet-pose.onnx",
        "FACE_IDENTITY": "puppet-face.onnx",
        "POSE_NETWORK": "puppet-pose.safetensors",
        "FACE_NETWORK": "puppet-face.safetensors",
    }
    for constant, name in files.items():
        (tmp_path / name).write_bytes(b"abc")
        monkeypatch.setattr(bundled, constant, tmp_path / name)
    for folder, name in (("portraits", "a.png"), ("speech", "a.ogg")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"abc")
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    monkeypatch.setattr(examination, "_version", lambda _package, _module: "1.0")
    return tmp_path


def test_a_complete_installation_is_well(complete: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == OK
    assert capsys.readouterr().out.splitlines()[-1] == "Everything that the demo needs is here."


def test_json_holds_sizes_and_hashes(complete: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == OK
    found = json.loads(capsys.readouterr().out)
    assert found["bundled"]["tiny.safetensors"] == {
        "bytes": 3,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }
    assert found["codecs"] == {"libx264": True, "aac": True}
    assert found["devices"][0].startswith("cpu")


def test_what_really_runs_onnx_networks_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = pytest.importorskip("onnxruntime").InferenceSession(str(bundled.POSE_DETECTOR))
    main(["doctor"])
    assert f"onnx       ONNX Runtime, {session.get_providers()[0]}\n" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    main(["doctor", "--json"])
    said = json.loads(capsys.readouterr().out)["onnx"]
    assert said.startswith("none: Pose detection needs the package 'onnxruntime'")


@pytest.mark.parametrize("missing", ["tiny.safetensors", "puppet-pose.safetensors", "speech/a.ogg"])
def test_a_missing_bundled_file_is_a_problem(
    missing: str, complete: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (complete / missing).unlink()
    assert main(["doctor"]) == FAULT
    assert missing.split("/", maxsplit=1)[0] in capsys.readouterr().out.splitlines()[-1]


def test_a_missing_package_of_the_demo_is_a_problem_and_another_is_not(
    complete: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        examination, "_version", lambda package, _module: None if package == "onnx" else "1.0"
    )
    assert main(["doctor"]) == OK
    monkeypatch.setattr(
        examination, "_version", lambda package, _module: None if package == "onnxruntime" else "1.0"
    )
    assert main(["doctor"]) == FAULT
    assert "pip install 'cyberhost[detect]'" in capsys.readouterr().out


def test_absent_packages_are_absent_and_present_ones_have_a_version() -> None:
    assert examination._version("no-such-package", "no_such_package") is None
    assert examination._version("numpy", "numpy") not in (None, "present")
    assert examination._version("not-numpy-gpu", "numpy") == "present"


def test_the_table_of_extras_is_that_of_pyproject() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    not_for_users = {"detect-gpu", "dev", "e2e"}  # detect-gpu: the modules of detect
    for extra in declared.keys() - not_for_users:
        names = {re.split(r"[<>=~\[;]", requirement)[0] for requirement in declared[extra]}
        assert names == set(examination.EXTRAS[extra]), extra
    assert examination.EXTRAS.keys() <= declared.keys()


def test_the_pack_asks_comfyui_to_install_nothing() -> None:
    assert (
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"] == []
    )
    asked = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("#") for line in asked)


def test_a_bundled_file_that_is_missing_says_which(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.onnx is missing"):
        bundled.require(tmp_path / "gone.onnx")


def test_help_is_there_for_every_command_and_does_not_load_torch() -> None:
    program = (
        "import sys\nfrom cyberhost_core.cli.main import main\n"
        "codes = [main([*words, '--help']) for words in ([], ['demo'], ['generate'], ['doctor'])]\n"
        "sys.exit('torch was loaded' if 'torch' in sys.modules else sum(codes))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Examples:") == 3


def test_the_library_loads_no_optional_package_by_itself() -> None:
    program = (
        "import sys\nimport cyberhost_core.cli.main\n"
        "heavy = {'torchvision', 'torchaudio', 'cv2', 'librosa', 'onnxruntime', 'comfy'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
