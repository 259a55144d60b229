"""A TensorFlow Lite graph as a plan of ours: constants unpacked, paddings counted out, weights as torch's.

Only operations that MediaPipe's networks for body, hands and face use; others are refused by their number.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import CheckpointError
from .flatbuffer import Table
from .graph_network import Plan, Step
from .tflite import Graph, Operation

_DEQUANTIZE, _DENSIFY = 6, 124  # both only unpack constants here
_ACTIVATIONS = {0: "none", 1: "relu", 3: "relu6"}
_SAME, _VALID = 0, 1

Made = tuple[str, dict[str, Any], dict[str, np.ndarray]]


def plan_of(graph: Graph) -> tuple[Plan, dict[str, np.ndarray]]:
    """Translate a graph; its weights keep their precision.

    Raises:   CheckpointError: an operation that these networks do not use, or one in an unknown form
    Source:   TensorFlow Lite's operator semantics (schema.fbs and its reference kernels)
    """
    constants = {
        at: one.data.reshape(one.shape) for at, one in enumerate(graph.tensors) if one.data is not None
    }
    numbers: dict[int, int] = {graph.inputs[0]: 0}
    steps: list[Step] = []
    weights: dict[str, np.ndarray] = {}
    for operation in graph.operations:
        if operation.code in (_DEQUANTIZE, _DENSIFY):
            constants[operation.outputs[0]] = _constant(constants, operation.inputs[0])
            continue
        op, settings, parts = _made(_Source(graph, operation, constants))
        unknown = [tensor for tensor in operation.inputs if tensor not in numbers and tensor not in constants]
        if unknown:
            raise _refused(f"uses tensor {unknown[0]} before it is computed")
        of = tuple(numbers[tensor] for tensor in operation.inputs if tensor in numbers)
        steps.append(Step(op, of, settings))
        numbers[operation.outputs[0]] = len(steps)
        weights |= {f"{len(steps)}.{name}": np.ascontiguousarray(value) for name, value in parts.items()}
    missing = [graph.tensors[at].name for at in graph.outputs if at not in numbers]
    if missing:
        raise _refused(f"never computes its result '{missing[0]}'")
    outputs = tuple(numbers[at] for at in graph.outputs)
    return Plan(graph.tensors[graph.inputs[0]].shape[1:], tuple(steps), outputs), weights


class _Source:
    """One operation with what it refers to."""

    def __init__(self, graph: Graph, operation: Operation, constants: Mapping[int, np.ndarray]) -> None:
        self.code, self._graph, self._operation, self._constants = operation.code, graph, operation, constants

    @property
    def options(self) -> Table:
        if self._operation.options is None:
            raise _refused(f"has operation {self.code} without its options")
        return self._operation.options

    def shape(self, place: int) -> tuple[int, ...]:
        return self._graph.tensors[self._operation.inputs[place]].shape

    @property
    def made_shape(self) -> tuple[int, ...]:
        return self._graph.tensors[self._operation.outputs[0]].shape

    def constant(self, place: int) -> np.ndarray:
        return _constant(self._constants, self._operation.inputs[place])

    def then(self, field: int) -> str:
        kind = self.options.number(field, "<b")
        if kind not in _ACTIVATIONS:
            raise _refused(f"fuses activation {kind}")
        return _ACTIVATIONS[kind]


def _made(source: _Source) -> Made:
    if source.code not in _MAKERS:
        raise _refused(f"uses operation {source.code}")
    try:
        return _MAKERS[source.code](source)
    except (IndexError, ValueError) as error:
        raise _refused(f"has operation {source.code} with unexpected tensors ({error})") from error


def _conv(source: _Source) -> Made:
    weight = source.constant(1).transpose(0, 3, 1, 2)  # outputs, Y, X, inputs
    return _convolution(source, weight, groups=1, then=3, dilation=4)


def _depthwise(source: _Source) -> Made:
    weight = source.constant(1).transpose(3, 0, 1, 2)  # 1, Y, X, outputs
    return _convolution(source, weight, groups=source.shape(0)[3], then=4, dilation=5)


def _convolution(source: _Source, weight: np.ndarray, *, groups: int, then: int, dilation: int) -> Made:
    options = source.options
    stride = [options.number(2, "<i"), options.number(1, "<i")]
    apart = [options.number(dilation + 1, "<i", 1), options.number(dilation, "<i", 1)]
    span = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], apart, strict=True)]
    settings = {
        "stride": stride,
        "pads": _pads(source, stride, span),
        "dilation": apart,
        "groups": groups,
        "then": source.then(then),
    }
    return "conv", settings, {"weight": weight, "bias": source.constant(2)}


def _pads(source: _Source, stride: list[int], span: list[int]) -> list[int]:
    """Zeros above, below, left and right; with "same" the odd one goes below and right."""
    padding = source.options.number(0, "<b")
    if padding not in (_SAME, _VALID) or min(stride) < 1:
        raise _refused(f"pads by rule {padding} with strides {stride}")
    pads = []
    for size, step, width in zip(source.shape(0)[1:3], stride, span, strict=True):
        needed = max((-(-size // step) - 1) * step + width - size, 0) if padding == _SAME else 0
        pads += [needed // 2, needed - needed // 2]
    return pads


def _max_pool(source: _Source) -> Made:
    options = source.options
    stride = [options.number(2, "<i"), options.number(1, "<i")]
    size = [options.number(4, "<i"), options.number(3, "<i")]
    if any(_pads(source, stride, size)) or source.then(5) != "none":
        raise _refused("pools over an edge")
    return "max_pool", {"size": size, "stride": stride}, {}


def _linear(source: _Source) -> Made:
    return "linear", {"then": source.then(0)}, {"weight": source.constant(1), "bias": source.constant(2)}


def _add(source: _Source) -> Made:
    return "add", {"then": source.then(0)}, {}


def _prelu(source: _Source) -> Made:
    return "prelu", {}, {"slope": source.constant(1)}


def _logistic(_source: _Source) -> Made:
    return "logistic", {}, {}


def _mean(source: _Source) -> Made:
    return "mean", {"axes": source.constant(1).tolist(), "keep": bool(source.options.number(0, "<b"))}, {}


def _pad(source: _Source) -> Made:
    return "pad", {"pads": source.constant(1).tolist()}, {}


def _resize(source: _Source) -> Made:
    align_corners, half_pixels = source.options.number(2, "<b"), source.options.number(3, "<b")
    if align_corners or not half_pixels:
        raise _refused("resizes by another rule than pixel centres")
    return "resize", {"size": source.constant(1).tolist()}, {}


def _reshape(source: _Source) -> Made:
    if source.made_shape[0] != 1:
        raise _refused(f"reshapes pictures into {list(source.made_shape)}")
    return "reshape", {"shape": list(source.made_shape[1:])}, {}


def _concat(source: _Source) -> Made:
    axis = source.options.number(0, "<i")
    if axis == 0 or source.then(1) != "none":
        raise _refused("joins pictures with one another")
    return "concat", {"axis": axis}, {}


def _depth_to_space(source: _Source) -> Made:
    return "depth_to_space", {"block": source.options.number(0, "<i")}, {}


# TensorFlow Lite's numbers
_MAKERS: dict[int, Callable[[_Source], Made]] = {
    0: _add,
    2: _concat,
    3: _conv,
    4: _depthwise,
    5: _depth_to_space,
    9: _linear,
    14: _logistic,
    17: _max_pool,
    22: _reshape,
    23: _resize,
    34: _pad,
    40: _mean,
    54: _prelu,
}


def _constant(constants: Mapping[int, np.ndarray], tensor: int) -> np.ndarray:
    if tensor not in constants:
        raise _refused(f"computes tensor {tensor}, where a constant belongs")
    return constants[tensor]


def _refused(what: str) -> CheckpointError:
    return CheckpointError(
        f"The .tflite graph {what}, an operation of MediaPipe's networks for people was expected; use one of "
        "those that 'mediapipe' 0.10.21 holds."
    )
