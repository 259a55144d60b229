"""Everything that drives one segment of a system, random: for measurements that do not care what it shows.

spec, height, width -> picture, motion frames -> Reference, Motion
                       sound, moving map, clarity, masks -> Drive
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..backbone.audio_transformer import AudioTransformerConfig
from ..backbone.motion_module import MotionModuleConfig
from ..errors import ConfigError
from ..systems.encoders import Drive, Motion, Reference
from ..systems.model import SystemModel
from ..systems.spec import LongVideoSpec, SystemSpec
from ..systems.track import NO_MOTION


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

    def cells(self, stage: int = 0) -> tuple[int, int]:
        """Height and width of the latents at a stage of the U-Net; a stride of 2 rounds up."""
        return -(-self.height // (8 << stage)), -(-self.width // (8 << stage))


@dataclass(frozen=True, kw_only=True)
class RandomInputs:
    """Draw what a model reads, on a device, in a precision."""

    spec: SystemSpec
    size: Size
    device: torch.device
    dtype: torch.dtype

    def reference(self, model: SystemModel) -> Reference:
        """Read a random picture."""
        image, high, wide = self.spec.image_tokens, self.size.height, self.size.width
        return model.encode_reference(
            latents_BCHW=self.latents(1),
            skeleton_BCYX=self._draw(1, 3, high, wide),
            hand_crops_BHCYX=self._draw(1, 2, 3, 128, 128),
            face_vector_BD=self._draw(1, 512),
            image_vector_BD=self._draw(1, image.vector_dim if image else 0),
        )

    def motion(self, model: SystemModel, reference: Reference) -> Motion:
        """Read random motion frames, as a segment in the middle of a video has them."""
        long = self.spec.long_video
        count = long.motion_frames if isinstance(long, LongVideoSpec) else 0
        return model.encode_motion(self.latents(count)[None], reference) if count else NO_MOTION

    def drive(self, motion: Motion) -> Drive:
        """Drive a segment at random, with a map that moves."""
        frames, audio = self.size.frames, self.spec.audio
        window, feature_dim = (audio.window, audio.feature_dim) if audio else (0, 0)
        maps = self.spec.movement_encoder
        channels = maps.channels_in if maps else 3
        return Drive(
            audio_BFWD=self._draw(1, frames, window, feature_dim),
            maps_BFCYX=self._draw(1, frames, channels, self.size.height, self.size.width),
            clarity_BF4=self._draw(1, frames, 4).float(),
            confidence_BF2=self._draw(1, frames, 2).float(),
            motion=motion,
            masks=self._masks(),
        )

    def latents(self, frames: int) -> Tensor:
        """Draw latents, (frames, C, h, w)."""
        return self._draw(frames, self.spec.unet.latent_channels, *self.size.cells())

    def _masks(self) -> dict[int, Tensor]:
        heard = [layer for layer in self.spec.unet.layers if isinstance(layer, AudioTransformerConfig)]
        stages = range(len(self.spec.unet.channels)) if heard else ()
        sizes = {stage: self.size.cells(stage) for stage in stages}
        return {
            stage: self._draw(1, 1, len(heard[0].regions), high * wide)
            for stage, (high, wide) in sizes.items()
        }

    def _draw(self, *shape: int) -> Tensor:
        return torch.randn(shape, device=self.device, dtype=self.dtype)
