"""What a published system is, as a value: sizes, parts, prediction, schedule, guidance.

A part that a system lacks is None or an empty tuple here, and then simply not built.
"""

from typing import Literal, Self

from pydantic import model_validator

from ..backbone.audio_projection import AudioProjectionConfig, LinearAudioConfig
from ..backbone.map_encoder import MapEncoderConfig
from ..backbone.unet import UNetConfig
from ..config import Config
from ..diffusion.schedule import ScheduleSpec

SD_LATENT_SCALE = 0.18215  # brings the latents of Stable Diffusion 1.5's autoencoder to unit variance


class AudioSpec(Config):
    """The sound's way in: how it is heard, the size of one step's feature, the steps per frame, the tokens.

    hearing: "wav2vec2" interpolates hidden states to frames; "wav2vec2_stretched" stretches what the
    convolutions hear to frames, before the transformer; "whisper" takes each frame's own steps at 50 Hz.
    """

    feature_dim: int = 10752
    token_dim: int = 768
    window: int = 5
    hearing: Literal["wav2vec2", "wav2vec2_stretched", "whisper"] = "wav2vec2"
    projection: AudioProjectionConfig = LinearAudioConfig()


class IdentitySpec(Config):
    """The regional image encoders R of equation 4."""

    token_dim: int = 512
    face_tokens: int = 4
    hand_encoder: MapEncoderConfig = MapEncoderConfig(widths=(16, 32, 96, 256, 256), depth=2)


class ImageTokensSpec(Config):
    """Tokens of the whole picture, for U-Nets that attend to such.

    source: "face", a face identity vector as its network gives it; "clip", a CLIP image embedding.
    projected: a trained projection makes the tokens; else the vector is the only one. Without the reference,
    a vector of zeros takes its place.
    alternating: rows of the reference network, and frames that read it, take the tokens of the pass without
    and with the reference in turns. A slip of Hallo's that its weights were trained with.
    """

    source: Literal["face", "clip"]
    vector_dim: int = 768
    token_dim: int = 768
    tokens: int = 1
    projected: bool = False
    alternating: bool = False


class ClaritySpec(Config):
    """Hand clarity score: unit in grey levels; what inference asks for, calibrated on training data."""

    unit: float = 50.0
    low: tuple[float, float, float, float] = (5.0, 5.0, 0.2, 0.2)
    high: tuple[float, float, float, float] = (40.0, 40.0, 1.0, 1.0)


class LongVideoSpec(Config):
    """A long video as a chain of segments that carry motion frames over.

    frames per segment, motion frames carried, frames kept per segment; pinned: how many finished frames open
    the next segment as they are; kept + pinned is at most frames. opening: what stands for the motion frames
    of the first segment, nothing or the reference picture.
    """

    frames: int = 12
    motion_frames: int = 4
    kept: int = 12
    pinned: int = 0
    opening: Literal["nothing", "reference"] = "nothing"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not 0 < self.kept <= self.frames - self.pinned:
            raise ValueError(
                f"kept {self.kept} + pinned {self.pinned} exceed the {self.frames} frames of a segment"
            )
        return self


class SlidingWindowsSpec(Config):
    """A long video sampled whole, each step window by window; where windows overlap, they are averaged.

    rotating: every step moves the windows on by their overlap, so that no seam stays in place.
    """

    kind: Literal["sliding_windows"] = "sliding_windows"
    frames: int = 12
    overlap: int = 3
    rotating: bool = True

    @property
    def kept(self) -> int:
        """New frames per window, as a segment of a chain keeps them."""
        return self.frames - self.overlap

    @property
    def motion_frames(self) -> int:
        """None: windows overlap instead."""
        return 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not 0 <= self.overlap < self.frames:
            raise ValueError(f"windows of {self.frames} frames cannot overlap by {self.overlap}")
        return self


class SystemSpec(Config):
    """Describe one system completely.

    The movement map box at inference is a fraction of the picture's width and height (section 3.3: "of fixed
    size"). latent_scale: latents are the autoencoder's times this. any_size: pictures may have any size that
    is a multiple of 8; else height and width are the only one. noise_limit: starting noise is clamped.
    null_keeps_map: the guidance pass without the reference still sees the map. map_kind: what was drawn on
    the maps that it was trained with. hand_confidence: what inference says of the left and the right hand to
    a system that is told how sure a detector was of them; calibrated on training data, 0..1.
    """

    name: str
    unet: UNetConfig
    movement_encoder: MapEncoderConfig | None = MapEncoderConfig()
    pose_encoder: MapEncoderConfig | None = MapEncoderConfig()
    reference_input: bool = (
        False  # the reference's latents also enter beside the noised ones, as channels would
    )
    audio: AudioSpec | None = AudioSpec()
    image_tokens: ImageTokensSpec | None = None
    identity: IdentitySpec = IdentitySpec()
    clarity: ClaritySpec | None = ClaritySpec()
    hand_confidence: tuple[float, float] | None = None
    schedule: ScheduleSpec = ScheduleSpec()
    long_video: LongVideoSpec | SlidingWindowsSpec = LongVideoSpec()
    null_keeps_map: bool = True
    map_kind: Literal["movement", "hands", "face_box", "skeleton", "hand_maps"] = "movement"
    noise_limit: float | None = None
    reference_scale: float = 2.5
    audio_scale: float = 4.5
    movement_box: tuple[float, float] = (0.2, 0.1)
    latent_scale: float = 1.0
    any_size: bool = False
    height: int = 640
    width: int = 384
    fps: float = 25.0
