"""The bundled networks run on torch alone, and answer as their ONNX files do."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cyberhost_core import bundled
from cyberhost_core.errors import CheckpointError
from cyberhost_core.media.images import read_image
from cyberhost_core.perception.face_identity import FaceIdentity, aligned_face
from cyberhost_core.perception.network import open_network
from cyberhost_core.perception.pose import PoseDetector
from cyberhost_core.perception.puppet_networks import FaceTwin, FaceTwinConfig, fold_norms
from cyberhost_core.perception.torch_network import TorchNetwork, save_network


@pytest.fixture(scope="module")
def portraits() -> list[np.ndarray]:
    return [read_image(path) for path in bundled.portraits()]


def both(name: str) -> list:
    pytest.importorskip("onnxruntime")
    torch_file, onnx_file = {
        "pose": (bundled.POSE_NETWORK, bundled.POSE_DETECTOR),
        "face": (bundled.FACE_NETWORK, bundled.FACE_IDENTITY),
    }[name]
    return [open_network(path, purpose="A comparison") for path in (torch_file, onnx_file)]


def test_the_pose_networks_distributions_agree() -> None:
    pictures = np.random.default_rng(0).standard_normal((2, 3, 384, 288)).astype(np.float32)
    ours, theirs = (network.run(pictures) for network in both("pose"))
    assert [output.shape for output in ours] == [(2, 133, 576), (2, 133, 768)]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-3)


def test_the_points_of_a_portrait_agree_within_half_a_pixel(portraits: list[np.ndarray]) -> None:
    pytest.importorskip("onnxruntime")
    for picture in portraits:
        ours, theirs = (
            PoseDetector(path).detect(picture, padding=1.0).packed_FKC()[0]
            for path in (bundled.POSE_NETWORK, bundled.POSE_DETECTOR)
        )
        seen = theirs[:, 2] >= 0.3
        assert seen.sum() > 100
        assert ((ours[:, 2] >= 0.3) == seen).all()
        assert np.abs(ours[seen, :2] - theirs[seen, :2]).max() < 0.5


def test_the_face_vectors_agree_and_tell_portraits_apart(portraits: list[np.ndarray]) -> None:
    detector = PoseDetector(bundled.POSE_NETWORK)
    faces = [detector.detect(picture, padding=1.0).face_FKC for picture in portraits]
    ours, theirs = both("face")
    for picture, face_1KC in zip(portraits, faces, strict=True):
        (mine,), (other,) = (network.run(aligned_face(picture, face_1KC[0])) for network in (ours, theirs))
        cosine = (mine @ other.T).item() / (np.linalg.norm(mine) * np.linalg.norm(other))
        assert cosine > 0.9999
    identity = FaceIdentity(bundled.FACE_NETWORK)
    first, second = (identity.embed(portraits[at], faces[at]) for at in (0, 1))
    assert first @ second < 0.9


def test_neither_network_needs_onnxruntime(
    monkeypatch: pytest.MonkeyPatch, portraits: list[np.ndarray]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    pose = PoseDetector(bundled.POSE_NETWORK).detect(portraits[0], padding=1.0)
    vector = FaceIdentity(bundled.FACE_NETWORK).embed(portraits[0], pose.face_FKC)
    assert vector.shape == (512,)


def test_a_saved_network_answers_as_before_to_16_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    twin = fold_norms(FaceTwin(FaceTwinConfig(channels=(8, 16, 16, 24), vector=20)))
    assert isinstance(twin, FaceTwin)
    save_network(twin, tmp_path / "face.safetensors")
    faces = torch.randn(3, 3, 112, 112)
    (found,) = TorchNetwork(tmp_path / "face.safetensors", purpose="A test").run(faces.numpy())
    np.testing.assert_allclose(found, twin(faces).detach().numpy(), atol=1e-3)


def test_a_network_of_the_other_kind_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"takes an input of shape \[3, 112, 112\]"):
        PoseDetector(bundled.FACE_NETWORK)


def test_a_checkpoint_in_a_networks_place_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"no network for pose detection \(its format is 'cyberhost-2'"):
        PoseDetector(bundled.CHECKPOINT)


def test_missing_and_truncated_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"There is no file .*absent\.safetensors"):
        PoseDetector(tmp_path / "absent.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(bundled.FACE_NETWORK.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        FaceIdentity(damaged)


def test_weights_that_do_not_fit_their_configuration_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    metadata = {
        "format": "cyberhost-puppet-network-1",
        "kind": "face",
        "config": FaceTwinConfig().to_json(),
    }
    save_file({"gather.weight": torch.zeros(2)}, path, metadata)
    with pytest.raises(CheckpointError, match="do not fit its own configuration"):
        FaceIdentity(path)
