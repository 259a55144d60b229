"""A checkpoint's autoencoder as a native VAE, so that ComfyUI's own encode and decode nodes take it.

Stable Diffusion's becomes ComfyUI's own class; our small one is put in where that has its network.
"""

import logging
from collections.abc import Mapping
from typing import Any

import comfy.model_management as management
import comfy.model_patcher
import comfy.sd
import torch
from torch import Tensor

from ...cyberhost_core.backbone.vae import TinyVAE

_DECODE_FLOATS_PER_CELL = (
    64 * 48 * 4
)  # 8 x 8 pixels, at most 48 channels wide at half resolution, some copies


def stable_diffusion_vae(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> Any:
    """Build Stable Diffusion's autoencoder from diffusers' names and configuration.

    By itself ComfyUI knows one size; the configuration tells it others.
    """
    first, *_ = widths = config["block_out_channels"]
    network = {
        "double_z": True,
        "z_channels": config["latent_channels"],
        "resolution": 256,
        "in_channels": config["in_channels"],
        "out_ch": config["out_channels"],
        "ch": first,
        "ch_mult": [width // first for width in widths],
        "num_res_blocks": config["layers_per_block"],
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    named = {"params": {"ddconfig": network, "embed_dim": config["latent_channels"]}}
    return comfy.sd.VAE(sd=dict(state), config=named)


def native_vae(vae: TinyVAE) -> Any:
    """Build a comfy.sd.VAE around the autoencoder.

    An empty state dict gives a VAE with all defaults of this ComfyUI and no network; ours is put in.
    """
    with _without_warning("No VAE weights detected"):
        native = comfy.sd.VAE(sd={})
    native.first_stage_model = vae
    native.latent_channels = vae.config.latent_channels
    native.memory_used_decode = lambda shape, dtype: (
        shape[-1] * shape[-2] * _DECODE_FLOATS_PER_CELL * management.dtype_size(dtype)
    )
    native.memory_used_encode = lambda shape, dtype: (
        shape[-1] * shape[-2] / 64 * _DECODE_FLOATS_PER_CELL * management.dtype_size(dtype)
    )
    native.working_dtypes = [torch.float32]
    native.device = management.vae_device()
    native.vae_dtype = torch.float32
    native.output_device = management.intermediate_device()
    # plain layers, which the patcher with dynamic VRAM does not take
    native.patcher = comfy.model_patcher.ModelPatcher(
        vae, load_device=native.device, offload_device=management.vae_offload_device()
    )
    return native


class _without_warning(logging.Filter):
    """Keep one warning that does not apply out of the log."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def filter(self, record: logging.LogRecord) -> bool:
        return self.text not in record.getMessage()

    def __enter__(self) -> None:
        logging.getLogger().addFilter(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeFilter(self)
