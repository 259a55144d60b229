"""The reader of .tflite graphs, on small graphs written by hand; and plans of steps, as torch runs them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from cyberhost_core.errors import CheckpointError
from cyberhost_core.perception.graph_network import GraphNetwork, Plan, Step
from cyberhost_core.perception.tflite import read_tflite
from cyberhost_core.perception.tflite_steps import plan_of

from .tflite_files import LOGISTIC, conv_model, flatbuffer, model, operation, sparse_model, tensor

VALID, SAME = 1, 0


def network(data: bytes) -> GraphNetwork:
    plan, weights = plan_of(read_tflite(data))
    return GraphNetwork(plan, {name: torch.from_numpy(value.copy()) for name, value in weights.items()})


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, *, stride: int, same: bool) -> np.ndarray:
    """Sum products place by place; with "same", the odd row of zeros goes below and right."""
    height, width = weight.shape[1:3]
    sizes = x.shape[1:3]
    if same:
        made = [-(-size // stride) for size in sizes]
        needed = [
            max((count - 1) * stride + span - size, 0)
            for count, span, size in zip(made, (height, width), sizes, strict=True)
        ]
        x = np.pad(x, [(0, 0), *((total // 2, total - total // 2) for total in needed), (0, 0)])
    else:
        made = [(size - span) // stride + 1 for span, size in zip((height, width), sizes, strict=True)]
    result = np.zeros((1, *made, len(weight)))
    for row, column in np.ndindex(*made):
        seen = x[0, row * stride : row * stride + height, column * stride : column * stride + width]
        result[0, row, column] = (weight * seen).sum(axis=(1, 2, 3)) + bias
    return result


@pytest.mark.parametrize("padding", [VALID, SAME])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_is_the_sum_that_its_numbers_say(stride: int, padding: int) -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((4, 3, 3, 2)).astype(np.float16).astype(np.float32)
    bias, x = rng.standard_normal(4).astype(np.float32), rng.random((1, 7, 6, 2)).astype(np.float32)
    (found,) = network(conv_model(weight, bias, stride=stride, padding=padding)).run(x)
    expected = convolved(x, weight, bias, stride=stride, same=padding == SAME)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_fused_activation_is_kept() -> None:
    weight, bias = np.ones((1, 1, 1, 1)), np.array([4.0])
    x = np.linspace(-9, 9, 42, dtype=np.float32).reshape(1, 7, 6, 1)
    (found,) = network(conv_model(weight, bias, stride=1, padding=VALID, then=3)).run(x)
    np.testing.assert_allclose(found, np.clip(x + 4, 0, 6), atol=1e-6)


def test_sparse_weights_land_where_they_belong() -> None:
    dense = np.array([[0, 2, 0, 3], [0, 0, 0, 0], [5, 0, 0, 7]], np.float32)
    x = np.random.default_rng(1).random((1, 2, 2, 4)).astype(np.float32)
    (found,) = network(sparse_model(dense)).run(x)
    np.testing.assert_allclose(found, x @ dense.T, atol=1e-6)


def test_weights_keep_their_precision() -> None:
    plan, weights = plan_of(read_tflite(conv_model(np.ones((1, 1, 1, 1)), np.ones(1), stride=1, padding=1)))
    assert [step.op for step in plan.steps] == ["conv"]
    assert (weights["1.weight"].dtype, weights["1.bias"].dtype) == (np.float16, np.float32)


def test_a_file_cut_short_anywhere_is_refused_in_one_sentence() -> None:
    data = conv_model(np.ones((2, 3, 3, 1)), np.ones(2), stride=1, padding=1)
    for size in range(len(data)):
        with pytest.raises(CheckpointError, match=r"^The (file|\.tflite)[^.]*"):
            plan_of(read_tflite(data[:size]))


def test_damaged_bytes_are_refused_or_read_but_never_crash() -> None:
    data = sparse_model(np.eye(3, 4, dtype=np.float32))
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(600):
        damaged = bytearray(data)
        damaged[rng.integers(8, len(data))] = rng.integers(0, 256)
        try:
            plan_of(read_tflite(bytes(damaged)))
        except CheckpointError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a zip", flatbuffer({}, identifier=b"ABCD")])
def test_another_kind_of_file_is_named(data: bytes) -> None:
    with pytest.raises(CheckpointError, match="of another kind"):
        read_tflite(data)


def test_an_operation_that_is_not_known_is_named_by_its_number() -> None:
    data = model([77], [tensor((1, 2)), tensor((1, 2))], [operation(0, [0], [1])], [])
    with pytest.raises(CheckpointError, match="uses operation 77"):
        plan_of(read_tflite(data))


def test_only_what_the_wanted_results_need_is_computed() -> None:
    steps = (
        Step("logistic", (0,)),
        Step("conv", (0,), {"needs": "weights that are not there"}),
        Step("add", (1, 0), {"then": "none"}),
    )
    plan = Plan((1, 2, 3), steps, (3, 2))
    x = np.zeros((2, 1, 2, 3), np.float32)
    (found,) = GraphNetwork(plan, {}, outputs=[0]).run(x)
    np.testing.assert_allclose(found, 0.5)
    with pytest.raises(CheckpointError, match="cannot be run"):
        GraphNetwork(plan, {}).run(x)


def test_the_simple_operations_do_what_their_names_say() -> None:
    x = np.arange(2 * 2 * 2 * 4, dtype=np.float32).reshape(2, 2, 2, 4)

    def ran(op: str, **settings: object) -> np.ndarray:
        return GraphNetwork(Plan((2, 2, 4), (Step(op, (0,), settings),), (1,)), {}).run(x)[0]

    np.testing.assert_allclose(ran("max_pool", size=[2, 2], stride=[2, 2])[:, 0, 0], x.max(axis=(1, 2)))
    np.testing.assert_allclose(ran("mean", axes=[1, 2], keep=False), x.mean(axis=(1, 2)))
    np.testing.assert_allclose(ran("reshape", shape=[16]), x.reshape(2, 16))
    padded = ran("pad", pads=[[0, 0], [0, 1], [2, 0], [0, 3]])
    np.testing.assert_allclose(padded, np.pad(x, [(0, 0), (0, 1), (2, 0), (0, 3)]))
    larger = ran("depth_to_space", block=2)
    np.testing.assert_allclose(larger[0, :2, :2, 0], x[0, 0, 0].reshape(2, 2))
    np.testing.assert_allclose(ran("resize", size=[4, 4])[0, 0, 0], x[0, 0, 0])


def test_a_plan_survives_being_written_down() -> None:
    plan = Plan((1, 2, 3), (Step("pad", (0,), {"pads": [[0, 0], [0, 0], [0, 0], [0, 1]]}),), (1,))
    assert Plan.parse(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", [{"op": "exec", "of": [0], "settings": {}}]), ("outputs", [9]), ("steps", 3)],
)
def test_a_damaged_plan_is_refused(name: str, value: object) -> None:
    plan = json.loads(Plan((1, 2, 3), (Step("logistic", (0,)),), (1,)).to_json())
    with pytest.raises(CheckpointError, match="damaged"):
        Plan.parse(json.dumps(plan | {name: value}))


def test_a_step_may_not_look_ahead() -> None:
    plan = Plan((1, 2, 3), (Step("logistic", (0,)),), (1,))
    ahead = replace(plan, steps=(Step("logistic", (1,)),))
    with pytest.raises(CheckpointError, match="values that there are not"):
        Plan.parse(ahead.to_json())


def test_the_logistic_is_read_too() -> None:
    data = model([LOGISTIC], [tensor((1, 2)), tensor((1, 2))], [operation(0, [0], [1])], [])
    (found,) = network(data).run(np.zeros((3, 2), np.float32))
    np.testing.assert_allclose(found, 0.5)
