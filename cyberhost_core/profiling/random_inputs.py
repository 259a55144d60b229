"""Everything that drives one segment of a system, random: for measurements that do not care what it shows.

spec, height, width -> shapes that the conditioners name -> portrait, frames before, drive
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..backbone.motion_module import MotionModuleConfig
from ..conditioners.conditioner import InputSize
from ..conditioners.values import Drive, Encoded
from ..errors import ConfigError
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of one segment.

    Units:    height, width: pixels; frames: without the motion frames

    Raises:   ConfigError from `of`: the system cannot make such a segment
    """

    height: int
    width: int
    frames: int

    @classmethod
    def of(
        cls,
        spec: SystemSpec,
        *,
        height: int | None = None,
        width: int | None = None,
        frames: int | None = None,
    ) -> "Size":
        """Take the system's own size where none is given."""
        size = cls(
            height=height or spec.height, width=width or spec.width, frames=frames or spec.long_video.frames
        )
        if size.height % 8 or size.width % 8:
            raise ConfigError(
                f"A picture of {size.width} x {size.height} does not divide into cells of 8 x 8 pixels; give "
                "sides that are multiples of 8."
            )
        longest = min(
            (layer.positions - layer.first_position for layer in spec.unet.layers
             if isinstance(layer, MotionModuleConfig)), default=size.frames,
        )  # fmt: skip
        if size.frames > longest:
            raise ConfigError(
                f"'{spec.name}' makes at most {longest} frames at once, {size.frames} were asked for; give "
                "fewer frames."
            )
        return size

    def cells(self) -> tuple[int, int]:
        """Height and width of the latents."""
        return self.height // 8, self.width // 8


@dataclass(frozen=True, kw_only=True)
class RandomInputs:
    """Draw what a model reads, on a device, in a precision."""

    spec: SystemSpec
    size: Size
    device: torch.device
    dtype: torch.dtype

    def reference(self, model: SystemModel) -> Encoded:
        """Read a random picture."""
        portrait = {name: self._draw(1, *shape) for name, shape in self._shapes("portrait").items()}
        return model.read({"latents": self.latents(1), **portrait})

    def motion(self, model: SystemModel, reference: Encoded) -> Encoded:
        """Read random frames before the segment, as one in the middle of a video has them."""
        return model.follow(self.latents(self.spec.past_frames)[None], reference)

    def drive(self, motion: Encoded) -> Drive:
        """Drive a segment at random, with a map that moves."""
        return Drive(
            frames=self.size.frames,
            values={name: self._draw(1, *shape) for name, shape in self._shapes("drive").items()},
            motion=motion,
            device=self.device,
            dtype=self.dtype,
        )

    def latents(self, frames: int) -> Tensor:
        """Draw latents, (frames, C, h, w)."""
        return self._draw(frames, self.spec.unet.latent_channels, *self.size.cells())

    def _shapes(self, of: Literal["portrait", "drive"]) -> dict[str, tuple[int, ...]]:
        size = InputSize(
            unet=self.spec.unet, frames=self.size.frames, height=self.size.height, width=self.size.width
        )
        found: dict[str, tuple[int, ...]] = {}
        for conditioner in self.spec.conditioners:
            found |= getattr(conditioner.shapes(size), of)
        return found

    def _draw(self, *shape: int) -> Tensor:
        return torch.randn(shape, device=self.device, dtype=self.dtype)
