"""Do eyes and mouth come out? They are few cells of the face, and most of what is looked at.

weight * mean(M * error^2),  M: the share of a cell that the boxes of both eyes and of the mouth cover

Source: ours, for small pictures; CyberHost's equation 6 weighs the whole face alike
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ...conditioners.values import Inputs
from ...controls.regions import face_detail_masks
from ...data.clip import Clip
from ...systems.spec import SystemSpec
from .loss import Answer, Loss, LossModule, cells_of


class FaceDetails(Loss):
    """How much an error at eyes and mouth costs beside what the other losses make of it."""

    kind: Literal["face_details"] = "face_details"
    weight: Annotated[float, Field(ge=0)] = 1.0

    def targets(self, clip: Clip, spec: SystemSpec) -> Inputs:
        height, width = cells_of(clip)
        return {"face_details_mask": face_detail_masks(clip.pose, height=height, width=width)[:, None]}

    def build(self, spec: SystemSpec, networks: Mapping[str, nn.Module]) -> LossModule:
        return _Module(self.weight)


class _Module(LossModule):
    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, answer: Answer) -> dict[str, Tensor]:
        error = answer.predicted_NCHW.float() - answer.target_NCHW
        mask = answer.batch.targets["face_details_mask"]
        return {"face_details": self.weight * (mask * error.pow(2)).mean()}
