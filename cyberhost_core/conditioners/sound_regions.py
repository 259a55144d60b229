"""Which places of the picture listen to the sound, and how much: everything else, the face, the lips.

pose of the portrait -> masks at every resolution of the U-Net
Source:   Hallo (Xu et al. 2024), section 3.3
"""

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..backbone.conditions import SOUND_MASKS, Conditions
from ..backbone.unet import UNetConfig
from ..controls.face_masks import face_masks, mask_levels
from ..data.clip import Clip
from ..types import Pose
from ..units import LATENT_STRIDE_PX
from .asks import POSE, REGION_WEIGHTS, Ask
from .conditioner import Conditioner, Given, InputShapes, InputSize, Place, Reader, TrackSize
from .values import Drive, Encoded, Inputs, Missing


class SoundRegions(Conditioner):
    """regions: names of the masks, in their order."""

    kind: Literal["sound_regions"] = "sound_regions"
    regions: tuple[str, ...] = ("full", "face", "lip")

    @property
    def brings(self) -> frozenset[str]:
        return frozenset({SOUND_MASKS})

    def asks_of_portrait(self) -> tuple[Ask, ...]:
        return (POSE,)

    def of_portrait(self, known: Given, *, unet: UNetConfig) -> Inputs:
        """Draw the masks.

        Raises:   PoseError: the portrait shows no face
        """
        return {name: level[None] for name, level in self._masks(known[POSE], unet).items()}

    def portrait_of(self, clip: Clip, *, unet: UNetConfig) -> Inputs:
        return self._masks(clip.reference_pose, unet)

    def _masks(self, pose: Pose, unet: UNetConfig) -> Inputs:
        levels = mask_levels(face_masks(pose), _sizes(unet, pose.height, pose.width))
        return {f"masks:{stage}": level for stage, level in enumerate(levels)}

    def of_track(self, told: Given, size: TrackSize) -> dict[str, Any]:
        """Take one weight per region; where none are told, every region listens in full."""
        return {"region_weights": torch.tensor([told[REGION_WEIGHTS]])} if REGION_WEIGHTS in told else {}

    def shapes(self, size: InputSize) -> InputShapes:
        sizes = _sizes(size.unet, size.height, size.width)
        masks = {
            f"masks:{stage}": (len(self.regions), high * wide) for stage, (high, wide) in enumerate(sizes)
        }
        return InputShapes(portrait=masks)  # weights are read as numbers, which fake tensors do not have

    def build(self, parts: nn.Module, place: Place) -> Reader:
        return _Reader(self)


def _sizes(unet: UNetConfig, height: int, width: int) -> list[tuple[int, int]]:
    """Tokens of a picture at each stage of the U-Net; a stride of 2 rounds up."""
    high, wide = height // LATENT_STRIDE_PX, width // LATENT_STRIDE_PX
    return [(-(-high // 2**stage), -(-wide // 2**stage)) for stage in range(len(unet.channels))]


class _Reader(Reader):
    def __init__(self, config: SoundRegions) -> None:
        self.in_full = (1.0,) * len(config.regions)

    def read(self, portrait: Inputs, so_far: Encoded) -> Inputs:
        return {name: value for name, value in portrait.items() if name.startswith("masks:")}

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        masks, told = reference.under("masks"), drive.values.get("region_weights")
        return replace(
            conditions,
            masks={int(stage): drive.rows(_per_frame(mask)) for stage, mask in masks.items()},
            region_weights=self.in_full if told is None else tuple(told[0, 0].tolist()),
        )


def _per_frame(mask: Tensor) -> Tensor:
    """Give masks an axis of frames, (B, R, S) -> (B, 1, R, S), where they do not have one of their own."""
    return mask[:, None] if mask.ndim == 3 else mask
