"""The trainable model of a system, built from its spec, and what it is made of, counted."""

import torch
from torch import nn

from ..backbone.ops import TORCH_OPS, Ops
from ..backbone.unet import UNet
from .encoders import Encoders
from .spec import SystemSpec


class SystemModel(Encoders):
    """Hold all trainable parts: the encoders, and the denoiser that their conditions drive."""

    def __init__(self, spec: SystemSpec, *, ops: Ops = TORCH_OPS) -> None:
        super().__init__(spec, ops=ops)
        self.denoiser = UNet(spec.unet, ops=ops)


def parameter_table(model: nn.Module) -> dict[str, int]:
    """Count parameters by part: the top modules, and inside the U-Nets by kind of layer."""
    table: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        kinds = [part for part in parts if part in _KINDS]
        key = f"{parts[0]}.{kinds[0]}" if kinds else parts[0]
        table[key] = table.get(key, 0) + parameter.numel()
    return table


_KINDS = frozenset(
    {
        "resnets",
        "attentions",
        "audio_modules",
        "face_attentions",
        "hands_attentions",
        "motion_modules",
        "downsamplers",
        "upsamplers",
    }
)


def count_parameters(model: nn.Module) -> int:
    """All parameters of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def on_meta(spec: SystemSpec) -> SystemModel:
    """Build a system without allocating its weights, to look at its names, shapes and counts."""
    with torch.device("meta"):
        return SystemModel(spec)
