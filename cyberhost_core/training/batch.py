"""One step's input: clips with noise, and what conditioners and losses asked for."""

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..conditioners.values import Drive, Encoded, Inputs

AnyBatch = TypeVar("AnyBatch", bound=Any)  # a dataclass


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Hold B clips of F frames.

    Shapes:   latents, noise (B, F, C, h, w); past (B, M, C, h, w) the frames before, M = 0 for none;
              portrait: name -> (B, ...), "latents" (B, C, h, w) among them; drive: name -> (B, F or 1, ...);
              targets: name -> (B * F, ...), what losses compare with; timestep (B,); chance (B,) uniform in
              0..1, for losses that act by chance; missing: per clip what it goes without
    """

    latents: Tensor
    noise: Tensor
    past: Tensor
    portrait: Inputs
    drive: Inputs
    targets: Inputs
    timestep: Tensor
    chance: Tensor
    missing: tuple[frozenset[str], ...]

    def __len__(self) -> int:
        return len(self.latents)

    def driven(self, motion: Encoded) -> Drive:
        """Everything that drives the clips, read where the latents are."""
        clips, frames = self.latents.shape[:2]
        return Drive(
            frames=frames,
            clips=clips,
            values=self.drive,
            motion=motion,
            device=self.latents.device,
            dtype=self.latents.dtype,
        )

    def to(self, device: torch.device) -> "Batch":
        """Move all tensors."""
        return moved(self, device)


def moved(batch: AnyBatch, device: torch.device) -> AnyBatch:
    """Move a batch's tensors, and those that it holds by name."""
    there: dict[str, Any] = {}
    for item in fields(batch):
        value = getattr(batch, item.name)
        if isinstance(value, Tensor):
            there[item.name] = value.to(device)
        elif isinstance(value, dict):
            there[item.name] = {key: tensor.to(device) for key, tensor in value.items()}
    return replace(batch, **there)
