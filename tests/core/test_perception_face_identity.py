from pathlib import Path

import numpy as np
import pytest

from cyberhost_core.errors import CheckpointError, PoseError
from cyberhost_core.perception.face_identity import TEMPLATE_K2, FaceIdentity, aligned_face, face_seen
from cyberhost_core.perception.protocols import DescribesFace
from cyberhost_core.perception.warp import inverse, similarity

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> FaceIdentity:
    """A network that projects row and column means at random."""
    weights = RNG.normal(size=(336, 512)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["in.1"], ["means"], axes=[3], keepdims=0),
            helper.make_node("Flatten", ["means"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["683"]),
        ],
        "twin",
        [helper.make_tensor_value_info("in.1", TensorProto.FLOAT, ["N", 3, 112, 112])],
        [helper.make_tensor_value_info("683", TensorProto.FLOAT, ["N", 512])],
        [numpy_helper.from_array(weights, "weights")],
    )
    path = tmp_path_factory.mktemp("face") / "arc.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return FaceIdentity(path)


def colours_network(path: Path, weights_CD: np.ndarray) -> Path:
    """A network that sees the average of each colour: glintr100's names and sizes, an answer to work out."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input.1"], ["means"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["means", "weights"], ["1333"]),
        ],
        "twin",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])],
        [helper.make_tensor_value_info("1333", TensorProto.FLOAT, [1, weights_CD.shape[1]])],
        [numpy_helper.from_array(weights_CD.astype(np.float32), "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def face_at(five_K2: np.ndarray) -> np.ndarray:
    """68 points whose eyes, nose and mouth corners are the given five."""
    face = np.zeros((68, 3), dtype=np.float32)
    for points, place in zip((slice(36, 42), slice(42, 48), 30, 48, 54), five_K2, strict=True):
        face[points, :2] = place
    face[:, 2] = 1
    return face


def smooth_picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [60 * np.sin(x / (7 + c) + c) * np.cos(y / (9 - c)) for c in range(3)]
    shades = [60 + 140 * np.abs(y / height - 0.4 * c) for c in range(3)]
    return (
        np.stack([wave + shade for wave, shade in zip(waves, shades, strict=True)], axis=-1)
        .clip(0, 255)
        .astype(np.uint8)
    )


def turned(points_K2: np.ndarray, *, scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points_K2 @ rotation.T + shift


def test_the_similarity_equals_umeyamas() -> None:
    transform = pytest.importorskip("skimage.transform")
    source, target = RNG.normal(size=(5, 2)) * 30, RNG.normal(size=(5, 2)) * 50 + 9
    expected = transform.SimilarityTransform.from_estimate(source, target).params[:2]
    np.testing.assert_allclose(similarity(source, target), expected, atol=1e-9)


def test_the_similarity_finds_a_known_turn_and_its_inverse_undoes_it() -> None:
    moved = turned(TEMPLATE_K2, scale=1.7, angle=0.4, shift=(30, -8))
    matrix = similarity(moved, TEMPLATE_K2)
    np.testing.assert_allclose(moved @ matrix[:, :2].T + matrix[:, 2], TEMPLATE_K2, atol=1e-9)
    back = inverse(matrix)
    np.testing.assert_allclose(TEMPLATE_K2 @ back[:, :2].T + back[:, 2], moved, atol=1e-9)


def test_a_face_already_on_the_template_is_only_rescaled_to_minus_one_and_one() -> None:
    picture = smooth_picture(112, 112)
    aligned = aligned_face(picture, face_at(TEMPLATE_K2))
    np.testing.assert_allclose(aligned[0].transpose(1, 2, 0), (picture - 127.5) / 127.5, atol=2e-3)


def test_a_turned_and_enlarged_face_is_aligned_as_opencv_does() -> None:
    cv2 = pytest.importorskip("cv2")
    picture = smooth_picture(300, 260)
    five = turned(TEMPLATE_K2, scale=1.6, angle=0.3, shift=(60, 40)) + RNG.normal(size=(5, 2))
    expected = cv2.warpAffine(picture, similarity(five, TEMPLATE_K2), (112, 112))
    aligned = aligned_face(picture, face_at(five))[0].transpose(1, 2, 0) * 127.5 + 127.5
    assert np.abs(aligned - expected).max() < 3


def test_vectors_have_length_one_and_follow_the_face_not_its_place(identity: FaceIdentity) -> None:
    cv2 = pytest.importorskip("cv2")
    upright = smooth_picture(112, 112)
    matrix = similarity(TEMPLATE_K2, turned(TEMPLATE_K2, scale=1.5, angle=-0.2, shift=(50, 70)))
    moved = cv2.warpAffine(upright, matrix, (320, 320))
    other = smooth_picture(112, 112)[::-1, :, ::-1].copy()
    five = TEMPLATE_K2 @ matrix[:, :2].T + matrix[:, 2]
    first = identity.embed(upright, face_at(TEMPLATE_K2)[None])
    same = identity.embed(moved, face_at(five)[None])
    different = identity.embed(other, face_at(TEMPLATE_K2)[None])
    assert isinstance(identity, DescribesFace)
    assert first.shape == (512,)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert first @ same > 0.98
    assert first @ different < 0.9


def test_a_clip_is_described_frame_by_frame(identity: FaceIdentity) -> None:
    pictures = np.stack([smooth_picture(112, 112), smooth_picture(112, 112)[::-1]])
    faces = np.stack([face_at(TEMPLATE_K2)] * 2)
    vectors = identity.embed_frames(pictures, faces)
    np.testing.assert_allclose(vectors[1], identity.embed(pictures[1], faces[1:]), atol=1e-6)


def test_a_face_that_is_not_seen_is_refused_with_its_number(identity: FaceIdentity) -> None:
    faces = np.stack([face_at(TEMPLATE_K2)] * 3)
    faces[1, 30, 2] = 0.1
    assert face_seen(faces).tolist() == [True, False, True]
    with pytest.raises(PoseError, match="picture 2 of 3"):
        identity.embed_frames(np.zeros((3, 112, 112, 3), np.uint8), faces)


def test_the_networks_own_vector_is_kept_at_its_length(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(3, 512)) * 20
    identity = FaceIdentity(colours_network(tmp_path / "glintr100.onnx", weights))
    rgb = np.array([200, 90, 140], dtype=np.uint8)
    picture, face = np.tile(rgb, (1, 112, 112, 1)), face_at(TEMPLATE_K2)[None]
    expected = (rgb - 127.5) / 127.5 @ weights
    raw = identity.raw_frames(picture, face)[0]
    np.testing.assert_allclose(raw, expected, atol=2e-3)
    assert np.linalg.norm(raw) > 100
    np.testing.assert_allclose(
        identity.embed(picture[0], face), expected / np.linalg.norm(expected), atol=1e-5
    )


def test_a_network_that_gives_another_vector_is_refused(tmp_path: Path) -> None:
    identity = FaceIdentity(colours_network(tmp_path / "genderage.onnx", np.ones((3, 3))))
    with pytest.raises(CheckpointError, match=r"shape \[1, 3\], one vector of 512 numbers was expected"):
        identity.embed(smooth_picture(112, 112), face_at(TEMPLATE_K2)[None])
