"""Finding people: files with yolox_l.onnx's own signature, whose answers are known, through the true path."""

from pathlib import Path

import numpy as np
import pytest

from cyberhost_core.errors import CheckpointError
from cyberhost_core.perception.person_boxes import PersonDetector, decode, fit, poses_in_boxes, surest
from cyberhost_core.perception.pose import PoseDetector

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

PERSON, DOG = 0, 16  # COCO's classes
Box = tuple[float, float, float, float]


def save(path: Path, answers: dict[str, np.ndarray], *, name: str, shape: list) -> Path:
    """A network that always answers the same, whatever it sees."""
    nodes = [helper.make_node("ReduceMean", [name], ["mean"], keepdims=0)]
    nodes += [helper.make_node("Mul", ["mean", "zero"], ["nothing"])]
    nodes += [helper.make_node("Add", [f"{key}_known", "nothing"], [key]) for key in answers]
    known = {f"{key}_known": value for key, value in answers.items()} | {"zero": np.zeros(())}
    graph = helper.make_graph(
        nodes,
        "twin",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(key, TensorProto.FLOAT, value.shape)
            for key, value in answers.items()
        ],
        [numpy_helper.from_array(value.astype(np.float32), key) for key, value in known.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def written(
    raw_ND: np.ndarray, box: Box, *, stride: int, kind: int = PERSON, anything: float = 1.0, sure: float
) -> None:
    """Write a box into the cell that its centre falls in, by YOLOX's rule turned round."""
    first = {8: 0, 16: 80 * 80, 32: 80 * 80 + 40 * 40}[stride]
    centre = ((box[0] + box[2]) / 2 / stride, (box[1] + box[3]) / 2 / stride)
    column, row = int(centre[0]), int(centre[1])
    cell = raw_ND[first + row * (640 // stride) + column]
    cell[:2] = centre[0] - column, centre[1] - row
    cell[2:4] = np.log([(box[2] - box[0]) / stride, (box[3] - box[1]) / stride])
    cell[4], cell[5 + kind] = anything, sure


def yolox(path: Path, *boxes: tuple[Box, int, float], kind: int = PERSON) -> Path:
    raw_ND = np.zeros((8400, 85))
    for box, stride, sure in boxes:
        written(raw_ND, box, stride=stride, kind=kind, sure=sure)
    return save(path, {"output": raw_ND[None]}, name="images", shape=[1, 3, 640, 640])


def dwpose(path: Path) -> Path:
    """Every point a little right of and below the middle of what it is shown, twice as sure as needed."""
    x, y = np.zeros((1, 133, 576)), np.zeros((1, 133, 768))
    x[:, :, 300], y[:, :, 400] = 0.6, 0.6
    return save(path, {"simcc_x": x, "simcc_y": y}, name="input", shape=[1, 3, 384, 288])


def pictures(count: int = 1, *, height: int = 320, width: int = 640) -> np.ndarray:
    return np.zeros((count, height, width, 3), dtype=np.uint8)


def test_boxes_of_every_stride_come_back_in_the_picture_from_left_to_right(tmp_path: Path) -> None:
    boxes = [((400, 100, 620, 310), 32, 0.9), ((10.5, 20.25, 60, 90), 8, 0.6), ((200, 30, 320, 300), 16, 0.7)]
    detector = PersonDetector(yolox(tmp_path / "y.onnx", *boxes))
    (found,) = detector.detect(pictures(height=480, width=960))  # the picture went in at 2/3 of its size
    expected = np.array(sorted(box for box, _, _ in boxes)) * 1.5
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_tall_picture_is_scaled_by_its_height(tmp_path: Path) -> None:
    detector = PersonDetector(yolox(tmp_path / "y.onnx", ((100, 100, 200, 500), 16, 0.9)))
    (found,) = detector.detect(pictures(height=1280, width=600))
    np.testing.assert_allclose(found, [[200, 200, 400, 1000]], rtol=1e-5)


def test_of_boxes_on_one_person_the_surest_stays(tmp_path: Path) -> None:
    same = [((100, 50, 200, 250), 8, 0.6), ((104, 52, 206, 255), 16, 0.95), ((98, 40, 196, 260), 32, 0.5)]
    beside = ((180, 60, 280, 260), 32, 0.4)
    (found,) = PersonDetector(yolox(tmp_path / "y.onnx", *same, beside)).detect(pictures())
    np.testing.assert_allclose(found, [same[1][0], beside[0]], rtol=1e-5)


def test_unsure_boxes_and_other_things_are_nobody(tmp_path: Path) -> None:
    unsure = PersonDetector(yolox(tmp_path / "u.onnx", ((100, 50, 200, 250), 8, 0.29)))
    assert [boxes.shape for boxes in unsure.detect(pictures(2))] == [(0, 4), (0, 4)]
    assert len(unsure.detect(pictures(), sure=0.25)[0]) == 1
    dog = PersonDetector(yolox(tmp_path / "d.onnx", ((100, 50, 200, 250), 8, 0.9), kind=DOG))
    assert len(dog.detect(pictures())[0]) == 0


def test_how_sure_a_box_is_counts_both_of_its_scores(tmp_path: Path) -> None:
    raw_ND = np.zeros((8400, 85))
    written(raw_ND, (100, 50, 200, 250), stride=8, anything=0.5, sure=0.5)
    detector = PersonDetector(
        save(tmp_path / "y.onnx", {"o": raw_ND[None]}, name="i", shape=[1, 3, 640, 640])
    )
    assert len(detector.detect(pictures())[0]) == 0
    assert len(detector.detect(pictures(), sure=0.24)[0]) == 1


def test_boxes_end_where_the_picture_does(tmp_path: Path) -> None:
    boxes = [((-30, 100, 90, 400), 32, 0.9), ((100, 330, 200, 500), 16, 0.9)]  # the second is in the grey
    (found,) = PersonDetector(yolox(tmp_path / "y.onnx", *boxes)).detect(pictures(height=320, width=640))
    np.testing.assert_allclose(found, [[0, 100, 90, 320]], rtol=1e-5)


def test_answers_that_are_not_numbers_are_nobody(tmp_path: Path) -> None:
    raw_ND = np.full((8400, 85), np.nan)
    raw_ND[7, 4:] = 1.0  # sure of a box that has no place
    raw_ND[9] = (0, 0, 1e4, 1e4, *[1.0] * 81)  # and of one without end: it is the whole picture
    detector = PersonDetector(
        save(tmp_path / "y.onnx", {"o": raw_ND[None]}, name="i", shape=[1, 3, 640, 640])
    )
    (found,) = detector.detect(pictures())
    np.testing.assert_allclose(found, [[0, 0, 640, 320]])


@pytest.mark.parametrize("size", [(480, 640), (1080, 607), (50, 33), (640, 640)])
def test_a_picture_goes_in_as_opencv_would_prepare_it(size: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    scale = min(640 / size[0], 640 / size[1])
    resized = cv2.resize(image[..., ::-1], (int(size[1] * scale), int(size[0] * scale)))
    expected = np.full((640, 640, 3), 114, dtype=np.uint8)
    expected[: resized.shape[0], : resized.shape[1]] = resized
    fitted, found_scale = fit(image[None])
    assert found_scale == scale
    assert fitted.shape == (1, 3, 640, 640)
    assert np.abs(fitted[0].transpose(1, 2, 0) - expected).max() <= 1


def test_red_goes_in_last() -> None:
    red = np.zeros((1, 640, 640, 3), dtype=np.uint8)
    red[..., 0] = 200
    fitted, _ = fit(red)
    np.testing.assert_array_equal(fitted[0, :, 5, 5], [0, 0, 200])


def test_decoding_equals_a_loop_over_all_cells() -> None:
    raw_ND = np.random.default_rng(0).normal(size=(8400, 85)).astype(np.float32)
    boxes_N4, score_N = decode(raw_ND)
    index = 0
    for stride in (8, 16, 32):
        for row in range(640 // stride):
            for column in range(640 // stride):
                x, y, wide, high, anything, person = raw_ND[index, :6]
                centre = ((x + column) * stride, (y + row) * stride)
                half = (np.exp(wide) * stride / 2, np.exp(high) * stride / 2)
                expected = (
                    centre[0] - half[0],
                    centre[1] - half[1],
                    centre[0] + half[0],
                    centre[1] + half[1],
                )
                if index % 97 == 0:
                    np.testing.assert_allclose(boxes_N4[index], expected, rtol=1e-4, atol=1e-3)
                    assert score_N[index] == pytest.approx(anything * person, rel=1e-5)
                index += 1
    assert index == 8400


def test_suppression_is_greedy_by_score() -> None:
    chain = np.array([(0, 0, 10, 10), (3, 0, 13, 10), (6, 0, 16, 10)], dtype=float)  # neighbours share 7/13
    assert surest(chain, np.array([0.9, 0.8, 0.7])).tolist() == [0, 2]  # the first takes only its neighbour
    assert surest(chain, np.array([0.8, 0.9, 0.7])).tolist() == [1]  # the middle takes both
    assert surest(chain, np.array([0.9, 0.8, 0.7]), overlap=0.6).tolist() == [0, 1, 2]
    assert surest(np.zeros((0, 4)), np.zeros(0)).tolist() == []


def test_a_box_that_shares_exactly_the_limit_stays() -> None:
    boxes = np.array([(0, 0, 10, 10), (0, 0, 10, 4.5)], dtype=float)
    assert surest(boxes, np.array([0.9, 0.8]), overlap=0.45).tolist() == [0, 1]
    assert surest(boxes, np.array([0.9, 0.8]), overlap=0.449).tolist() == [0]


@pytest.mark.parametrize("shape", [[1, 3, 416, 416], ["N", 3, 384, 288]])
def test_a_file_with_another_input_is_refused(tmp_path: Path, shape: list) -> None:
    path = save(tmp_path / "other.onnx", {"o": np.zeros((1, 4))}, name="i", shape=shape)
    with pytest.raises(CheckpointError, match=r"\[3, 640, 640\] was expected"):
        PersonDetector(path)


def test_a_file_with_another_output_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "o.onnx", {"o": np.zeros((1, 8400, 6))}, name="i", shape=[1, 3, 640, 640])
    with pytest.raises(CheckpointError, match=r"shape \[1, 8400, 6\], \[N, 8400, 85\] was expected"):
        PersonDetector(path).detect(pictures())


def test_the_provider_is_told(tmp_path: Path) -> None:
    assert PersonDetector(yolox(tmp_path / "y.onnx")).runs_on.startswith("ONNX Runtime, ")


def test_everybody_with_a_box_gets_a_pose_in_it(tmp_path: Path) -> None:
    detector = PoseDetector(dwpose(tmp_path / "p.onnx"))
    boxes = [
        np.array([[10, 20, 100, 140], [300, 40, 360, 200]], dtype=np.float32),
        np.zeros((0, 4), dtype=np.float32),
        np.array([[200, 40, 260, 200]], dtype=np.float32),
    ]
    people = poses_in_boxes(detector, pictures(3), boxes)
    assert [len(pose) for pose in people] == [3, 3]
    left, right = people
    # 3/8 of 1/36 of the padded box off its middle: (300 / 2 - 144) / 288 and (400 / 2 - 192) / 384 = 1 / 48
    for pose, frame, (x0, y0, x1, y1) in (
        (left, 0, boxes[0][0]),
        (right, 0, boxes[0][1]),
        (left, 2, boxes[2][0]),
    ):
        side = max((x1 - x0) * 1.25, (y1 - y0) * 1.25 * 288 / 384)
        expected = ((x0 + x1) / 2 + side / 48, (y0 + y1) / 2 + side / 48 * 384 / 288)
        np.testing.assert_allclose(pose.body_FKC[frame, 0, :2], expected, atol=1e-3)
        assert pose.body_FKC[frame, 0, 2] == pytest.approx(0.6)
    assert not left.packed_FKC()[1].any()
    assert not right.packed_FKC()[1:].any()


def test_without_a_box_there_is_nobody(tmp_path: Path) -> None:
    detector = PoseDetector(dwpose(tmp_path / "p.onnx"))
    assert poses_in_boxes(detector, pictures(2), [np.zeros((0, 4))] * 2) == []
