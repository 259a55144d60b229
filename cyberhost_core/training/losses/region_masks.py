"""Do the regions' attentions know where their regions are?

0.005 * MSE(M_pred, M_gt) for hands + 0.001 * the same for the face

Source: CyberHost appendix E
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ...conditioners.values import Inputs
from ...data.clip import Clip
from ...systems.spec import SystemSpec
from .local_enhancement import region_targets
from .loss import Answer, Loss, LossModule


class RegionMasks(Loss):
    """The weights of both regions; a region without attention adds nothing."""

    kind: Literal["region_masks"] = "region_masks"
    hands_weight: float = 0.005
    face_weight: float = 0.001

    @property
    def taps(self) -> frozenset[str]:
        return frozenset({"mask"})

    def targets(self, clip: Clip, spec: SystemSpec) -> Inputs:
        return region_targets(clip)

    def build(self, spec: SystemSpec, networks: Mapping[str, nn.Module]) -> LossModule:
        return _Module(self)


class _Module(LossModule):
    def __init__(self, config: RegionMasks) -> None:
        super().__init__()
        self.weights = {"hands": config.hands_weight, "face": config.face_weight}

    def forward(self, answer: Answer) -> dict[str, Tensor]:
        losses, found = {}, answer.taps.values.get("mask", {})
        for region, weight in self.weights.items():
            logits = {path: value for path, value in found.items() if f".{region}_attentions." in path}
            if logits:
                losses[f"{region}_mask"] = weight * mask_loss(logits, answer.batch.targets[f"{region}_mask"])
        return losses


def mask_loss(logits: Mapping[str, Tensor], mask_gt_N1HW: Tensor) -> Tensor:
    """MSE between M_pred and the box mask, mean over the RAMs of one region (appendix E).

    Shapes:   path -> logits (N, 1, h, w); mask_gt at the finest size, pooled to each RAM's own
    """
    terms = [
        nnf.mse_loss(value.float().sigmoid(), nnf.adaptive_avg_pool2d(mask_gt_N1HW, _size(value)))
        for value in logits.values()
    ]
    return torch.stack(terms).mean()


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
