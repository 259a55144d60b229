"""What a published system is, as a value: sizes, parts, prediction, schedule, guidance.

A part that a system lacks is None or an empty tuple here, and then simply not built.
"""

from typing import Self

from pydantic import model_validator

from ..backbone.map_encoder import MapEncoderConfig
from ..backbone.unet import UNetConfig
from ..config import Config
from ..diffusion.schedule import ScheduleSpec


class AudioSpec(Config):
    """The sound's way in: size of one step's feature, of a token, and the window of steps per frame."""

    feature_dim: int = 10752
    token_dim: int = 768
    window: int = 5


class IdentitySpec(Config):
    """The regional image encoders R of equation 4."""

    token_dim: int = 512
    face_tokens: int = 4
    hand_encoder: MapEncoderConfig = MapEncoderConfig(widths=(16, 32, 96, 256, 256), depth=2)


class ClaritySpec(Config):
    """Hand clarity score: unit in grey levels; what inference asks for, calibrated on training data."""

    unit: float = 50.0
    low: tuple[float, float, float, float] = (5.0, 5.0, 0.2, 0.2)
    high: tuple[float, float, float, float] = (40.0, 40.0, 1.0, 1.0)


class LongVideoSpec(Config):
    """How a long video is cut: frames per segment, motion frames carried over, frames kept per segment.

    pinned: how many finished frames open the next segment as they are; kept + pinned is at most frames.
    """

    frames: int = 12
    motion_frames: int = 4
    kept: int = 12
    pinned: int = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not 0 < self.kept <= self.frames - self.pinned:
            raise ValueError(
                f"kept {self.kept} + pinned {self.pinned} exceed the {self.frames} frames of a segment"
            )
        return self


class SystemSpec(Config):
    """Describe one system completely.

    The movement map box at inference is a fraction of the picture's width and height (section 3.3: "of fixed
    size").
    """

    name: str
    unet: UNetConfig
    movement_encoder: MapEncoderConfig | None = MapEncoderConfig()
    pose_encoder: MapEncoderConfig | None = MapEncoderConfig()
    reference_input: bool = (
        False  # the reference's latents also enter beside the noised ones, as channels would
    )
    audio: AudioSpec | None = AudioSpec()
    identity: IdentitySpec = IdentitySpec()
    clarity: ClaritySpec | None = ClaritySpec()
    schedule: ScheduleSpec = ScheduleSpec()
    long_video: LongVideoSpec = LongVideoSpec()
    reference_scale: float = 2.5
    audio_scale: float = 4.5
    movement_box: tuple[float, float] = (0.2, 0.1)
    height: int = 640
    width: int = 384
    fps: float = 25.0
