"""Parts-Aware Re-weighting: errors cost more at hands, face and body, as sure as the keypoints there are.

weight * mean(M * error^2),  M: controls.awareness

Source: PAHA section 4.1.2, equations 2 and 3; figure 2 (b)
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ...conditioners.values import Inputs
from ...controls.awareness import Awareness, awareness_weights
from ...data.clip import Clip
from ...systems.spec import SystemSpec
from .loss import Answer, Loss, LossModule, cells_of


class PartsReweighting(Loss):
    """What weighs more; weight: of it all, beside other losses."""

    kind: Literal["parts_reweighting"] = "parts_reweighting"
    awareness: Awareness = Awareness()
    weight: Annotated[float, Field(ge=0)] = 1.0

    def targets(self, clip: Clip, spec: SystemSpec) -> Inputs:
        height, width = cells_of(clip)
        weights = awareness_weights(clip.pose, self.awareness, height=height, width=width)
        return {"parts_weight": weights[:, None]}

    def build(self, spec: SystemSpec, networks: Mapping[str, nn.Module]) -> LossModule:
        return _Module(self.weight)


class _Module(LossModule):
    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, answer: Answer) -> dict[str, Tensor]:
        error = answer.predicted_NCHW.float() - answer.target_NCHW
        weighed = answer.batch.targets["parts_weight"] * error.pow(2)
        return {"parts_reweighting": self.weight * weighed.mean()}
