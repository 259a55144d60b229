import sys
from pathlib import Path

import numpy as np
import pytest

from cyberhost_core.errors import CheckpointError, MissingExtraError, PoseError
from cyberhost_core.perception.pose import PoseDetector, decode, image_from_crop, require_person
from cyberhost_core.perception.protocols import FindsPose
from cyberhost_core.perception.warp import warp
from cyberhost_core.types import Pose

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def save(
    path: Path,
    nodes: list,
    *,
    constants: dict[str, np.ndarray],
    outputs: dict[str, list],
    batch: str | int = "N",
) -> Path:
    """Write a network whose input has an unusual name, so that names must be read from the file."""
    graph = helper.make_graph(
        nodes,
        "twin",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, 384, 288])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def peaks_network(
    path: Path, x_bins: np.ndarray, y_bins: np.ndarray, *, height: float = 0.8, gain: float = 0.0
) -> Path:
    """Answer with peaks at fixed bins, raised by gain x the mean input; the y output comes first."""
    constants = {}
    for name, bins, size in (("cx", x_bins, 576), ("cy", y_bins, 768)):
        constants[name] = np.zeros((1, 133, size))
        constants[name][0, np.arange(133), bins] = height
    constants["gain"] = np.array([gain])
    nodes = [
        helper.make_node("Constant", [], ["axis"], value_ints=[2]),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["mean"], ["one"], axes=[1], keepdims=1),
        helper.make_node("Unsqueeze", ["one", "axis"], ["each"]),
        helper.make_node("Mul", ["each", "gain"], ["raised"]),
        helper.make_node("Add", ["cy", "raised"], ["second"]),
        helper.make_node("Add", ["cx", "raised"], ["first"]),
    ]
    return save(
        path, nodes, constants=constants, outputs={"second": ["N", 133, 768], "first": ["N", 133, 576]}
    )


def red_dot_network(path: Path, *, batch: str | int = "N") -> Path:
    """Find the column and the row of the reddest pixel."""
    twice = {size: np.kron(np.eye(size), [[0.4, 0.0]]) for size in (288, 384)}
    constants = {"wx": twice[288], "wy": twice[384]}
    nodes = [
        helper.make_node("Constant", [], ["channel"], value_ints=[0]),
        helper.make_node("Constant", [], ["repeats"], value_ints=[1, 133, 1]),
        helper.make_node("Gather", ["pixels", "channel"], ["red"], axis=1),
        helper.make_node("ReduceMax", ["red"], ["columns"], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["red"], ["rows"], axes=[3], keepdims=0),
        helper.make_node("MatMul", ["columns", "wx"], ["x1"]),
        helper.make_node("MatMul", ["rows", "wy"], ["y1"]),
        helper.make_node("Tile", ["x1", "repeats"], ["x"]),
        helper.make_node("Tile", ["y1", "repeats"], ["y"]),
    ]
    return save(
        path, nodes, constants=constants, outputs={"x": ["N", 133, 576], "y": ["N", 133, 768]}, batch=batch
    )


def person(*, seen: int) -> Pose:
    packed = np.zeros((1, 128, 3), dtype=np.float32)
    packed[:, 1 : 1 + seen, 2] = 0.9
    return Pose.from_packed(packed, height=64, width=48)


def test_peaks_become_places_in_the_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x_bins, y_bins = rng.integers(0, 576, 133), rng.integers(0, 768, 133)
    detector = PoseDetector(peaks_network(tmp_path / "p.onnx", x_bins, y_bins))
    box = np.array([20.0, 10.0, 80.0, 50.0])
    pose = detector.detect(np.zeros((3, 100, 120, 3), np.uint8), box=box)

    width, height = 60 * 1.25, 40 * 1.25  # the box is wide: its height follows, 384 : 288
    height = max(height, width * 384 / 288)
    x = (x_bins / 2) / 288 * width + 50 - width / 2
    y = (y_bins / 2) / 384 * height + 30 - height / 2
    for hand, low in ((pose.left_hand_FKC, 91), (pose.right_hand_FKC, 112)):
        np.testing.assert_allclose(hand[2, :, 0], x[low : low + 21], atol=1e-3)
        np.testing.assert_allclose(hand[2, :, 1], y[low : low + 21], atol=1e-3)
        np.testing.assert_allclose(hand[2, :, 2], 0.8, atol=1e-6)
    assert (len(pose), pose.height, pose.width) == (3, 100, 120)


@pytest.mark.parametrize(("padding", "tolerance"), [(1.0, 0.6), (1.25, 0.6)])
def test_a_red_dot_is_found_where_it_is_and_blue_ones_are_not(
    tmp_path: Path, padding: float, tolerance: float
) -> None:
    images = np.zeros((11, 192, 144, 3), dtype=np.uint8)  # more pictures than one batch
    places = np.random.default_rng(1).integers(20, 120, (11, 2))
    for image, (x, y) in zip(images, places, strict=True):
        image[y, x] = (255, 0, 0)
        image[150, 10] = (0, 0, 255)
    pose = PoseDetector(red_dot_network(tmp_path / "d.onnx")).detect(images, padding=padding)
    np.testing.assert_allclose(pose.face_FKC[:, 7, :2], places, atol=tolerance)


def test_a_file_that_takes_one_picture_at_a_time_still_serves_a_clip(tmp_path: Path) -> None:
    images = np.random.default_rng(6).integers(0, 256, (3, 96, 72, 3), dtype=np.uint8)
    many = PoseDetector(red_dot_network(tmp_path / "n.onnx")).detect(images)
    single = PoseDetector(red_dot_network(tmp_path / "1.onnx", batch=1)).detect(images)
    np.testing.assert_array_equal(many.packed_FKC(), single.packed_FKC())


def test_colours_go_in_as_rgb_less_mean_over_deviation(tmp_path: Path) -> None:
    rgb = np.array([200, 90, 140], dtype=np.uint8)
    detector = PoseDetector(
        peaks_network(tmp_path / "p.onnx", np.zeros(133, int), np.zeros(133, int), height=0.2, gain=1)
    )
    pose = detector.detect(np.tile(rgb, (128, 96, 1)), padding=1.0, box=np.array([9, 12, 81, 108]))
    normal = (rgb - np.array([123.675, 116.28, 103.53])) / np.array([58.395, 57.12, 57.375])
    np.testing.assert_allclose(pose.face_FKC[..., 2], 0.2 + normal.mean(), atol=1e-3)


def test_one_picture_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    detector = PoseDetector(red_dot_network(tmp_path / "d.onnx"))
    assert len(detector.detect(np.zeros((40, 30, 3), np.uint8))) == 1


def test_each_frame_may_have_its_own_box(tmp_path: Path) -> None:
    detector = PoseDetector(peaks_network(tmp_path / "p.onnx", np.full(133, 288), np.full(133, 384)))
    boxes = np.array([[0, 0, 30, 40], [60, 50, 90, 90]], dtype=np.float32)
    pose = detector.detect(np.zeros((2, 100, 100, 3), np.uint8), box=boxes)
    np.testing.assert_allclose(pose.body_FKC[:, 0, :2], [(15, 20), (75, 70)], atol=1e-4)


def test_a_whole_picture_without_padding_of_the_networks_size_goes_in_unchanged() -> None:
    image = np.random.default_rng(2).integers(0, 256, (1, 384, 288, 3), dtype=np.uint8)
    matrix = image_from_crop(np.array([[0, 0, 288, 384]]), padding=1.0)
    crop = warp(image, matrix, height=384, width=288)
    np.testing.assert_allclose(crop[0].numpy().transpose(1, 2, 0), image[0], atol=0.05)


def test_the_warp_equals_opencvs() -> None:
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(3).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 3)  # OpenCV rounds places to 1/32 px, which noise would show
    matrix = image_from_crop(np.array([[10, 20, 60, 80]]), padding=1.25)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(image, matrix[0], (288, 384), flags=flags)
    crop = warp(image[None], matrix, height=384, width=288)[0].numpy().transpose(1, 2, 0)
    assert np.abs(crop - expected.astype(float))[8:-8, 8:-8].max() <= 2


def test_the_score_is_the_lower_peak_and_stays_within_0_and_1() -> None:
    x, y = np.zeros((1, 3, 576)), np.zeros((1, 3, 768))
    x[0, 0, 11], y[0, 0, 500] = 0.9, 0.4
    x[0, 1, 6], y[0, 1, 9] = 0.3, 0.7
    x[0, 2, 0], y[0, 2, 0] = 1.2, 1.1
    np.testing.assert_allclose(decode(x, y)[0], [(5.5, 250, 0.4), (3, 4.5, 0.3), (0, 0, 1)])


def test_a_file_with_other_outputs_is_refused(tmp_path: Path) -> None:
    path = save(
        tmp_path / "other.onnx",
        [helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[2], keepdims=0)],
        constants={},
        outputs={"mean": ["N", 3, 288]},
    )
    with pytest.raises(CheckpointError, match=r"outputs of shape \[\[1, 3, 288\]\]"):
        PoseDetector(path).detect(np.zeros((40, 30, 3), np.uint8))


def test_a_file_with_another_input_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["a"], ["b"])],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", 3, 256, 192])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", 3, 256, 192])],
    )
    path = tmp_path / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    with pytest.raises(CheckpointError, match=r"\[3, 256, 192\] per picture, \[3, 384, 288\]"):
        PoseDetector(path)


@pytest.mark.parametrize("content", [b"", b"not a network" * 9])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as an ONNX network"):
        PoseDetector(path)


def test_without_onnxruntime_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"Pose detection needs .*pip install 'cyberhost\[detect\]'"):
        PoseDetector(tmp_path / "any.onnx")


def test_the_detector_fits_the_protocol_that_callers_name(tmp_path: Path) -> None:
    assert isinstance(PoseDetector(red_dot_network(tmp_path / "d.onnx")), FindsPose)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"There is no file .*absent\.onnx"):
        PoseDetector(tmp_path / "absent.onnx")


def test_a_person_needs_the_thorax_and_half_of_the_upper_body() -> None:
    assert require_person(person(seen=4)) is not None
    with pytest.raises(PoseError, match="3 of 8 points"):
        require_person(person(seen=3))
    headless = person(seen=7)
    headless.body_FKC[:, 1, 2] = 0
    with pytest.raises(PoseError, match="No person was found"):
        require_person(headless)
