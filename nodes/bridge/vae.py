"""Our small autoencoder as a native VAE, so that ComfyUI's own encode and decode nodes take it."""

import logging
from typing import Any

import comfy.model_management as management
import comfy.model_patcher
import comfy.sd
import torch

from ...cyberhost_core.backbone.vae import TinyVAE

_DECODE_FLOATS_PER_CELL = (
    64 * 48 * 4
)  # 8 x 8 pixels, at most 48 channels wide at half resolution, some copies


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
