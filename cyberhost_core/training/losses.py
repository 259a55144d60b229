"""The training losses of section 3: local enhancement supervision and the mask losses.

L_les = (1 + alpha M_hand + alpha M_face) * L + 1/N sum_i || H_i - H^_i ||^2          (equation 6)
with 50 % probability and only when t < 500 (section 3.2), else plain L
+ 0.005 * MSE(M_pred, M_gt) for hands + 0.001 * the same for the face (appendix E)
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..backbone.ops import TORCH_OPS
from ..backbone.region_attention import RegionAttentionConfig
from ..backbone.unet import UNetConfig, sites
from ..config import Config
from ..types import HAND_POINTS


class LossConfig(Config):
    """Weights of the losses; the defaults are CyberHost's.

    pose_weight: of the pose discriminator's loss, see pose_discriminator; 0: there is none
    """

    alpha: float = 1.0
    enhance_probability: float = 0.5
    enhance_below: int = 500
    hands_mask_weight: float = 0.005
    face_mask_weight: float = 0.001
    heatmap_weight: float = 1.0
    pose_weight: float = 0.0


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
    config: LossConfig,
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


def mask_loss(logits: Mapping[str, Tensor], mask_gt_N1HW: Tensor) -> Tensor:
    """MSE between M_pred and the box mask, mean over the RAMs of one region (appendix E).

    Shapes:   path -> logits (N, 1, h, w); mask_gt at the finest size, pooled to each RAM's own
    """
    terms = [
        nnf.mse_loss(value.float().sigmoid(), nnf.adaptive_avg_pool2d(mask_gt_N1HW, _size(value)))
        for value in logits.values()
    ]
    return torch.stack(terms).mean()


def choose_enhanced(timestep_B: Tensor, chance_B: Tensor, *, config: LossConfig) -> Tensor:
    """Choose which clips take the local enhancement loss: half of those with t < 500.

    Shapes:   timestep (B,) in 0..999, chance (B,) uniform in 0..1 -> (B,) bool
    """
    return (chance_B < config.enhance_probability) & (timestep_B < config.enhance_below)


def _key(path: str) -> str:
    return path.replace(".", "/")


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
