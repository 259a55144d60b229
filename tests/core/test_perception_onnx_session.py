"""Which of onnxruntime's providers runs a network, and that nobody is left to believe in another."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyberhost_core.errors import CheckpointError, MissingExtraError
from cyberhost_core.perception.onnx_session import OnnxNetwork, best_provider

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper  # noqa: E402

CPU, CUDA, DML = "CPUExecutionProvider", "CUDAExecutionProvider", "DmlExecutionProvider"
REAL_SESSION = onnxruntime.InferenceSession


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A network that doubles its input."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "a"], ["b"])],
        "twice",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", 3, 4, 4])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", 3, 4, 4])],
    )
    path = tmp_path / "twice.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stand in for an onnxruntime that brings providers, of which some load, some fail, some are dropped."""

    def machine(
        *, brings: list[str], fails: tuple[str, ...] = (), drops: tuple[str, ...] = ()
    ) -> list[list[str]]:
        asked: list[list[str]] = []

        class Session:
            def __init__(self, file: str, *, providers: list[str], enable_fallback: int) -> None:
                asked.append(providers)
                assert not enable_fallback, "onnxruntime's own fallback tells nobody"
                if providers[0] in fails:
                    raise RuntimeError("no kernel image\nmany more lines")
                self._providers = [name for name in providers if name not in drops]
                self._session = REAL_SESSION(file, providers=[CPU])

            def get_providers(self) -> list[str]:
                return self._providers

            def __getattr__(self, name: str) -> Any:
                return getattr(self._session, name)

        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: brings)
        return asked

    return machine


@pytest.mark.parametrize(
    ("brought", "chosen"),
    [
        (["AzureExecutionProvider", CPU], CPU),
        (["TensorrtExecutionProvider", CUDA, CPU], CUDA),
        ([DML, CPU], DML),
        (["CoreMLExecutionProvider", CPU], "CoreMLExecutionProvider"),
        ([CPU, CUDA], CUDA),
        ([], CPU),
    ],
)
def test_the_fastest_known_provider_is_chosen(brought: list[str], chosen: str) -> None:
    assert best_provider(brought) == chosen


def test_the_provider_that_really_runs_is_told(path: Path) -> None:
    network = OnnxNetwork(path, purpose="A test")
    assert network.provider == onnxruntime.InferenceSession(str(path)).get_providers()[0]
    assert network.runs_on == f"ONNX Runtime, {network.provider}"


def test_a_provider_that_loads_is_used_without_a_word(path: Path, machine: Any) -> None:
    asked = machine(brings=[DML, CPU])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert OnnxNetwork(path, purpose="A test").provider == DML
    assert asked == [[DML, CPU]]


@pytest.mark.parametrize("way", ["fails", "drops"])
def test_a_provider_that_does_not_load_gives_way_to_the_processor_and_that_is_said(
    path: Path, machine: Any, way: str
) -> None:
    machine(brings=[DML, CPU], **{way: (DML,)})
    reason = {"fails": "no kernel image", "drops": "its libraries are missing"}[way]
    with pytest.warns(RuntimeWarning, match=rf"twice\.onnx runs on {CPU}: {DML} is installed.*{reason}"):
        network = OnnxNetwork(path, purpose="A test")
    assert network.provider == CPU
    assert network.runs_on == f"ONNX Runtime, {CPU} ({DML} could not be loaded)"
    np.testing.assert_array_equal(network.run(np.ones((1, 3, 4, 4), np.float32))[0], 2)


def test_a_damaged_file_is_the_files_fault_whatever_the_provider(tmp_path: Path, machine: Any) -> None:
    machine(brings=[DML, CPU], fails=(DML,))
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"not a network")
    with pytest.raises(CheckpointError, match=r"damaged\.onnx cannot be read as an ONNX network"):
        OnnxNetwork(damaged, purpose="A test")


def test_a_provider_that_gives_up_is_named(path: Path, machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(brings=[DML, CPU])
    network = OnnxNetwork(path, purpose="A test")

    def run(*_: Any) -> None:
        raise RuntimeError("out of memory\nin some place")

    monkeypatch.setattr(network._session, "run", run, raising=False)
    with pytest.raises(CheckpointError, match=rf"stopped on {DML} \(out of memory\).*free memory"):
        network.run(np.ones((1, 3, 4, 4), np.float32))


def test_without_onnxruntime_the_sentence_holds_for_comfyui_and_the_library(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(sys, "executable", r"C:\Comfy UI\python_embeded\python.exe")
    with pytest.raises(MissingExtraError) as raised:
        OnnxNetwork(path, purpose="Pose detection")
    said = str(raised.value)
    assert r'"C:\Comfy UI\python_embeded\python.exe" -m pip install onnxruntime' in said
    assert "ComfyUI's own" in said
    assert "pip install 'cyberhost[detect]'" in said
