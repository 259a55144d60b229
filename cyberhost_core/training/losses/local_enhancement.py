"""Local enhancement supervision: hands and face weigh more, and hands are to be found in the features.

L_les = (1 + alpha M_hand + alpha M_face) * L + 1/N sum_i || H_i - H^_i ||^2          (equation 6)
with 50 % probability and only when t < 500 (section 3.2), else plain L

Source: CyberHost section 3.2, appendix E
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from ...backbone.ops import TORCH_OPS
from ...backbone.region_attention import RegionAttentionConfig
from ...backbone.unet import UNetConfig, sites
from ...conditioners.values import Inputs
from ...controls.heatmaps import hand_heatmaps
from ...controls.regions import face_masks, hand_masks
from ...data.clip import Clip
from ...systems.spec import SystemSpec
from ...types import HAND_POINTS
from .loss import Answer, Loss, LossModule, cells_of


class LocalEnhancement(Loss):
    """The weights; the defaults are CyberHost's."""

    kind: Literal["local_enhancement"] = "local_enhancement"
    alpha: float = 1.0
    probability: float = 0.5
    below: int = 500
    heatmap_weight: float = 1.0

    @property
    def taps(self) -> frozenset[str]:
        return frozenset({"hands"})

    def targets(self, clip: Clip, spec: SystemSpec) -> Inputs:
        height, width = cells_of(clip)
        heatmaps = {
            _heatmaps(size): hand_heatmaps(clip.pose, height=size[0], width=size[1])
            for size in _sizes(spec.unet, height, width)
        }
        return {**region_targets(clip), **heatmaps}

    def build(self, spec: SystemSpec, networks: Mapping[str, nn.Module]) -> LossModule:
        return _Module(self, spec.unet)


def region_targets(clip: Clip) -> Inputs:
    """Where hands and face are, (F, 1, h, w) each."""
    height, width = cells_of(clip)
    return {
        "hands_mask": hand_masks(clip.pose, height=height, width=width)[:, None],
        "face_mask": face_masks(clip.pose, height=height, width=width)[:, None],
    }


class _Module(LossModule):
    def __init__(self, config: LocalEnhancement, unet: UNetConfig) -> None:
        super().__init__()
        self.config, self.heads = config, HeatmapHeads(unet)

    def forward(self, answer: Answer) -> dict[str, Tensor]:
        batch, targets = answer.batch, answer.batch.targets
        enhanced_B = choose_enhanced(batch.timestep, batch.chance, config=self.config)
        heatmaps = self.heads(answer.taps.values.get("hands", {}))
        denoising, heatmap = local_enhancement_loss(
            answer.predicted_NCHW.float() - answer.target_NCHW,
            hands_mask_N1HW=targets["hands_mask"],
            face_mask_N1HW=targets["face_mask"],
            heatmaps=heatmaps,
            heatmap_gt={_size(found): targets[_heatmaps(_size(found))] for found in heatmaps.values()},
            enhanced_N=enhanced_B.repeat_interleave(batch.latents.shape[1]),
            config=self.config,
        )
        return {"denoising": denoising, "heatmap": heatmap}


class HeatmapHeads(nn.Module):
    """Predict hand-keypoint heatmaps from the feature after each hand RAM; in training only.

    Shapes:   path -> feature (N, C, h, w) to path -> (N, 21, h, w)
    """

    def __init__(self, unet: UNetConfig, *, width: int = 32) -> None:
        super().__init__()
        hands = [
            layer
            for layer in unet.layers
            if isinstance(layer, RegionAttentionConfig) and layer.region == "hands"
        ]
        self.heads = nn.ModuleDict(
            {
                _key(site.path(layer.slot)): nn.Sequential(
                    TORCH_OPS.Conv2d(site.channels, width, 3, padding=1),
                    nn.SiLU(),
                    TORCH_OPS.Conv2d(width, HAND_POINTS, 3, padding=1),
                )
                for layer in hands
                for site in sites(unet)
                if layer.runs_at(site)
            }
        )

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {path: self.heads[_key(path)](feature) for path, feature in features.items()}


def local_enhancement_loss(
    error_NCHW: Tensor,
    *,
    hands_mask_N1HW: Tensor,
    face_mask_N1HW: Tensor,
    heatmaps: Mapping[str, Tensor],
    heatmap_gt: Mapping[tuple[int, int], Tensor],
    enhanced_N: Tensor,
    config: LocalEnhancement,
) -> tuple[Tensor, Tensor]:
    """Equation 6: the reweighted squared error, and the mean heatmap error over the N hand RAMs.

    Shapes:   error prediction - target; masks 0..1; heatmaps path -> (N, 21, h, w); heatmap_gt (h, w) -> (N,
              21, h, w); enhanced_N booleans: which rows take part (the 50 % rule and t < 500)
    Reads:    || . ||^2 is the mean over keypoints and cells, so that the term does not grow with resolution
    """
    chosen = enhanced_N.to(error_NCHW.dtype).view(-1, 1, 1, 1)
    weight = 1 + config.alpha * chosen * (hands_mask_N1HW + face_mask_N1HW)
    denoising = (weight * error_NCHW.pow(2)).mean()
    if not heatmaps:
        return denoising, denoising.new_zeros(())
    terms = [
        ((predicted.float() - heatmap_gt[_size(predicted)]).pow(2) * chosen).mean()
        for predicted in heatmaps.values()
    ]
    return denoising, config.heatmap_weight * torch.stack(terms).mean()


def choose_enhanced(timestep_B: Tensor, chance_B: Tensor, *, config: LocalEnhancement) -> Tensor:
    """Choose which clips take the local enhancement loss: half of those with t < 500.

    Shapes:   timestep (B,) in 0..999, chance (B,) uniform in 0..1 -> (B,) bool
    """
    return (chance_B < config.probability) & (timestep_B < config.below)


def _sizes(unet: UNetConfig, height: int, width: int) -> list[tuple[int, int]]:
    """Feature sizes of the U-Net's stages."""
    sizes = [(height, width)]
    for _ in unet.channels[1:]:
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    return sizes


def _heatmaps(size: tuple[int, int]) -> str:
    return f"hand_heatmaps {size[0]} x {size[1]}"


def _key(path: str) -> str:
    return path.replace(".", "/")


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
