"""Stable Diffusion's autoencoder (diffusers' AutoencoderKL) behind the verbs of our own small one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, require_extra

# Source: config.json of stabilityai/sd-vae-ft-mse
STABLE_DIFFUSION = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
}


class StableDiffusionVAE(nn.Module):
    """Map pictures to latents and back.

    Latents are the middle of what the encoder allows for, not drawn from it, so that they are the same each
    time; and its own, before any scale. Pictures are encoded one by one, which bounds the memory.

    Shapes:   encode: (N, 3, Y, X) in -1..1, Y and X multiples of 8 -> (N, C, Y/8, X/8); decode: the reverse
    """

    def __init__(self, network: Any, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.network, self.config = network, dict(config)

    def encode(self, pictures_NCYX: Tensor) -> Tensor:
        """Encode to latents."""
        return torch.cat([self.network.encode(one).latent_dist.mode() for one in pictures_NCYX.split(1)])

    def decode(self, latents_NCHW: Tensor) -> Tensor:
        """Decode latents to pictures, clamped to -1..1."""
        return self.network.decode(latents_NCHW).sample.clamp(-1, 1)


def stable_diffusion_network(config: Mapping[str, Any]) -> nn.Module:
    """Build diffusers' network with random weights.

    Raises:   MissingExtraError: diffusers is not installed
    """
    try:
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    except ImportError as error:
        raise require_extra(
            "diffusers", extra="standalone", purpose="Stable Diffusion's autoencoder"
        ) from error
    return AutoencoderKL(**{name: value for name, value in config.items() if not name.startswith("_")})


def build_stable_diffusion(
    state: Mapping[str, Tensor], config: Mapping[str, Any], *, path: Path
) -> StableDiffusionVAE:
    """Build the autoencoder with its weights, in float32, frozen and in evaluation mode.

    Raises:   CheckpointError: they do not fit the configuration; path is named
    """
    network = stable_diffusion_network(config)
    try:
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise CheckpointError(
            f"The autoencoder in {path} does not fit its configuration; convert it again."
        ) from error
    return StableDiffusionVAE(network, config).eval().requires_grad_(False)
