"""A feed-forward network written down as a list of steps, which torch runs.

value 0 is the input (N, Y, X, 3); step 1 makes value 1, step 2 value 2, and so on. A step names an operation,
the earlier values that it works on, its settings, and has its weights under "<number>.<name>". Pictures keep
their colours last, as in the graphs that the plans are made from; torch's convolutions take them so without
a copy.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import CheckpointError

Settings = Mapping[str, Any]
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Step:
    """One operation, by its name in OPERATIONS, on earlier values."""

    op: str
    of: tuple[int, ...]
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A network without its weights.

    Shapes:   input_shape (Y, X, 3); outputs: numbers of the values that are results, in order
    """

    input_shape: tuple[int, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def to_json(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def parse(text: str) -> "Plan":
        """Read what to_json wrote.

        Raises:   CheckpointError: it is no plan, or names an operation or a value that there is not
        """
        try:
            raw = json.loads(text)
            steps = tuple(
                Step(str(one["op"]), tuple(one["of"]), dict(one["settings"])) for one in raw["steps"]
            )
            plan = Plan(tuple(raw["input_shape"]), steps, tuple(raw["outputs"]))
            known = all(
                step.op in OPERATIONS and all(0 <= value <= before for value in step.of)
                for before, step in enumerate(steps)
            ) and all(0 <= value <= len(steps) for value in plan.outputs)
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(f"its plan cannot be read ({error})") from error
        if not known:
            raise _damaged("its plan names operations or values that there are not")
        return plan


class GraphNetwork:
    """Run a plan with its weights, on batches of any size.

    outputs: which of the plan's results are wanted, by their place; what only others need is not computed

    Raises:   CheckpointError: the weights do not fit the plan (here or when it runs)
    """

    def __init__(
        self, plan: Plan, weights: Weights, *, outputs: Sequence[int] | None = None, name: str = "network"
    ) -> None:
        self._plan, self._name = plan, name
        self._outputs = plan.outputs if outputs is None else tuple(plan.outputs[place] for place in outputs)
        needed = set(self._outputs)
        for number, step in reversed(list(enumerate(plan.steps, start=1))):
            if number in needed:
                needed.update(step.of)
        self._last_use = {
            value: number
            for number, step in enumerate(plan.steps, start=1)
            if number in needed
            for value in step.of
        }
        self._weights: dict[int, dict[str, Tensor]] = {number: {} for number in needed}
        for key, value in weights.items():
            number, _, part = key.partition(".")
            if number.isdecimal() and int(number) in needed:
                self._weights[int(number)][part] = value.float()

    @property
    def input_px(self) -> int:
        """Height and width of the square input."""
        return self._plan.input_shape[0]

    @torch.inference_mode()
    def run(self, batch_NYXC: np.ndarray) -> list[np.ndarray]:
        """Return the wanted results.

        Shapes:   batch_NYXC (N, *input_shape) float32; results (N, ...)
        """
        if batch_NYXC.shape[1:] != self._plan.input_shape:
            raise CheckpointError(
                f"The {self._name} takes pictures of shape {list(self._plan.input_shape)}, "
                f"{list(batch_NYXC.shape[1:])} came; use the file that fits."
            )
        values = {0: torch.from_numpy(np.ascontiguousarray(batch_NYXC, dtype=np.float32))}
        try:
            for number, step in enumerate(self._plan.steps, start=1):
                if number not in self._weights:
                    continue
                of = [values[value] for value in step.of]
                values[number] = OPERATIONS[step.op](of, self._weights[number], step.settings)
                for value in step.of:
                    if self._last_use[value] == number and value not in self._outputs:
                        values.pop(value, None)
        except (RuntimeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise _damaged(f"its {self._name} cannot be run ({str(error).splitlines()[0]})") from error
        return [values[value].numpy() for value in self._outputs]


def _conv(of: list[Tensor], weights: Weights, settings: Settings) -> Tensor:
    top, bottom, left, right = settings["pads"]
    x_NCYX = of[0].permute(0, 3, 1, 2)
    if (top, left) != (bottom, right):  # convolutions themselves pad both sides alike
        x_NCYX, top, left = functional.pad(x_NCYX, (left, right, top, bottom)), 0, 0
    found_NCYX = functional.conv2d(
        x_NCYX,
        weights["weight"],
        weights["bias"],
        stride=settings["stride"],
        padding=(top, left),
        dilation=settings["dilation"],
        groups=settings["groups"],
    )
    return _ACTIVATIONS[settings["then"]](found_NCYX.permute(0, 2, 3, 1))


def _linear(of: list[Tensor], weights: Weights, settings: Settings) -> Tensor:
    return _ACTIVATIONS[settings["then"]](functional.linear(of[0], weights["weight"], weights["bias"]))


def _add(of: list[Tensor], _weights: Weights, settings: Settings) -> Tensor:
    return _ACTIVATIONS[settings["then"]](of[0] + of[1])


def _prelu(of: list[Tensor], weights: Weights, _settings: Settings) -> Tensor:
    return torch.where(of[0] < 0, of[0] * weights["slope"], of[0])


def _logistic(of: list[Tensor], _weights: Weights, _settings: Settings) -> Tensor:
    return of[0].sigmoid()


def _max_pool(of: list[Tensor], _weights: Weights, settings: Settings) -> Tensor:
    pooled_NCYX = functional.max_pool2d(of[0].permute(0, 3, 1, 2), settings["size"], settings["stride"])
    return pooled_NCYX.permute(0, 2, 3, 1)


def _mean(of: list[Tensor], _weights: Weights, settings: Settings) -> Tensor:
    return of[0].mean(dim=settings["axes"], keepdim=settings["keep"])


def _pad(of: list[Tensor], _weights: Weights, settings: Settings) -> Tensor:
    pairs = [pair for axis in reversed(settings["pads"]) for pair in axis]  # torch counts from the last axis
    return functional.pad(of[0], pairs)


def _resize(of: list[Tensor], _weights: Weights, settings: Settings) -> Tensor:
    x_NCYX = of[0].permute(0, 3, 1, 2)
    found_NCYX = functional.interpolate(x_NCYX, settings["size"], mode="bilinear", align_corners=False)
    return found_NCYX.permute(0, 2, 3, 1)


def _reshape(of: list[Tensor], _weights: Weights, settings: Settings) -> Tensor:
    return of[0].reshape(len(of[0]), *settings["shape"])


def _concat(of: list[Tensor], _weights: Weights, settings: Settings) -> Tensor:
    return torch.cat(of, dim=settings["axis"])


def _depth_to_space(of: list[Tensor], _weights: Weights, settings: Settings) -> Tensor:
    """Lay channels out as pixels; row, then column of a block come first, the colour last."""
    block = settings["block"]
    count, rows, columns, channels = of[0].shape
    split = of[0].reshape(count, rows, columns, block, block, channels // block**2)
    return split.permute(0, 1, 3, 2, 4, 5).reshape(count, rows * block, columns * block, -1)


OPERATIONS: dict[str, Callable[[list[Tensor], Weights, Settings], Tensor]] = {
    "conv": _conv,
    "linear": _linear,
    "add": _add,
    "prelu": _prelu,
    "logistic": _logistic,
    "max_pool": _max_pool,
    "mean": _mean,
    "pad": _pad,
    "resize": _resize,
    "reshape": _reshape,
    "concat": _concat,
    "depth_to_space": _depth_to_space,
}
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": functional.relu,
    "relu6": functional.relu6,
}


def _damaged(what: str) -> CheckpointError:
    return CheckpointError(f"The file of networks is damaged: {what}; convert or copy it again.")
