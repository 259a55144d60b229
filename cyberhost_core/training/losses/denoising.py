"""The plain error of the prediction (CyberHost equation 1)."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from ...systems.spec import SystemSpec
from .loss import Answer, Loss, LossModule


class Denoising(Loss):
    """The mean squared error."""

    kind: Literal["denoising"] = "denoising"

    def build(self, spec: SystemSpec, networks: Mapping[str, nn.Module]) -> LossModule:
        return _Module()


class _Module(LossModule):
    def forward(self, answer: Answer) -> dict[str, Tensor]:
        return {"denoising": (answer.predicted_NCHW.float() - answer.target_NCHW).pow(2).mean()}
