"""The ReferenceNet: a copy of the 2D U-Net that reads reference picture and motion frames once per segment.

Source: CyberHost section 3.1 (after AnimateAnyone): its features join the denoiser's self-attention
(reference) and its motion modules (motion frames). A skeleton map of the reference, encoded, is added after
conv_in (section 3.3, "pose-aligned reference feature").
Reads:    run at timestep 0; a feature is norm1's output, keyed by module path, as in all public relatives;
          the last norm and convolution are not built, because nobody reads their output.
"""

import torch
from torch import Tensor

from .conditions import Conditions, Taps
from .ops import Ops
from .transformer import SpatialTransformerConfig
from .unet import UNet, UNetConfig

OWN_LAYERS = ("self_attention", "image_tokens", "feed_forward")


class ReferenceNet(UNet):
    """Extract appearance and motion features.

    Shapes:   features(latents (N, C, h, w), pose (N, channels, h, w) or a scalar 0, tokens of the whole
              picture (N, R, D) where the system lists them) -> path -> (N, S, C)
    """

    def __init__(self, denoiser: UNetConfig, *, ops: Ops) -> None:
        super().__init__(_spatial_only(denoiser), ops=ops, has_output=False)

    def features(self, latents_NCHW: Tensor, pose_NCHW: Tensor, tokens_NRD: Tensor) -> dict[str, Tensor]:
        """Run once and return what the denoiser's layers of the same path will read."""
        taps = Taps(frozenset({"reference"}))
        conditions = Conditions(
            frames=1, clips=len(latents_NCHW), image_BRD=tokens_NRD, map_NCHW=pose_NCHW, taps=taps
        )
        timestep_N = torch.zeros(len(latents_NCHW), device=latents_NCHW.device)
        self(latents_NCHW, timestep_N, conditions.without_memo())
        return taps.values["reference"]


def _spatial_only(denoiser: UNetConfig) -> UNetConfig:
    layers = tuple(
        layer.derive(layers=tuple(part for part in layer.layers if part.kind in OWN_LAYERS))
        for layer in denoiser.layers
        if isinstance(layer, SpatialTransformerConfig)
    )
    return denoiser.derive(layers=layers, plain_layers=())
