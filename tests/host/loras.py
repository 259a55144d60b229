"""A LoRA of random numbers for the bundled denoiser."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from cyberhost_core import bundled
from cyberhost_core.checkpoints.file import load_checkpoint

from .prompts import Prompt, node

_LAYER = ".attn1.to_out.0.weight"  # of every self-attention
_RANK = 4


def lora(path: Path) -> Path:
    """Write a LoRA that touches every self-attention of the denoiser."""
    weights = load_checkpoint(bundled.CHECKPOINT).model.denoiser.state_dict()
    torch.manual_seed(0)
    factors = {}
    for key, weight in weights.items():
        if key.endswith(_LAYER):
            layer = f"diffusion_model.{key.removesuffix('.weight')}"
            factors[f"{layer}.lora_A.weight"] = torch.randn(_RANK, weight.shape[1])
            factors[f"{layer}.lora_B.weight"] = torch.randn(weight.shape[0], _RANK)
    save_file(factors, path)
    return path


def with_lora(prompt: Prompt, name: str) -> Prompt:
    """Put ComfyUI's own LoRA loader between checkpoint and sampler."""
    loader = node("LoraLoaderModelOnly", model=["load", 0], lora_name=name, strength_model=0.1)
    sample = {**prompt["sample"], "inputs": {**prompt["sample"]["inputs"], "model": ["lora", 0]}}
    return {**prompt, "lora": loader, "sample": sample}
