"""What a published system is, as a value: a U-Net, the ways into it, guidance, schedule, and how it goes on.

A system lists its conditioners in the order in which they are read; what it does not list does not exist.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, SerializeAsAny, model_validator

from ..backbone.unet import UNetConfig
from ..conditioners.asks import Ask
from ..conditioners.conditioner import Conditioner
from ..config import Config
from ..data.calibration import Calibration
from ..diffusion.schedule import ScheduleSpec
from ..guidance.dual import DualGuidance
from ..guidance.guidance import Guidance

SD_LATENT_SCALE = 0.18215  # brings the latents of Stable Diffusion 1.5's autoencoder to unit variance

Kind = TypeVar("Kind", bound=Conditioner)


class LongVideoSpec(Config):
    """A long video as a chain of segments, each shown the last frames of the one before.

    frames per segment, frames kept per segment; pinned: how many finished frames open the next segment as
    they are; kept + pinned is at most frames. opening: what stands for the frames before the first segment,
    nothing or the reference picture.
    """

    kind: Literal["chain"] = "chain"
    frames: int = 12
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

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not 0 <= self.overlap < self.frames:
            raise ValueError(f"windows of {self.frames} frames cannot overlap by {self.overlap}")
        return self


class SystemSpec(Config):
    """Describe one system completely.

    latent_scale: latents are the autoencoder's times this. any_size: pictures may have any size that is a
    multiple of 8; else height and width are the only one. noise_limit: starting noise is clamped.
    """

    name: str
    unet: UNetConfig
    conditioners: tuple[SerializeAsAny[Conditioner], ...]
    guidance: SerializeAsAny[Guidance] = DualGuidance()
    schedule: ScheduleSpec = ScheduleSpec()
    long_video: Annotated[LongVideoSpec | SlidingWindowsSpec, Field(discriminator="kind")] = LongVideoSpec()
    noise_limit: float | None = None
    latent_scale: float = 1.0
    any_size: bool = False
    height: int = 640
    width: int = 384
    fps: float = 25.0

    @property
    def past_frames(self) -> int:
        """How many frames before a segment its conditioners read."""
        return max((conditioner.past_frames for conditioner in self.conditioners), default=0)

    @property
    def asks_of_portrait(self) -> list[Ask]:
        """What must be known of the portrait."""
        return [ask for conditioner in self.conditioners for ask in conditioner.asks_of_portrait()]

    @property
    def asks_of_track(self) -> list[Ask]:
        """What must be told of every frame."""
        return [ask for conditioner in self.conditioners for ask in conditioner.asks_of_track()]

    def listed(self, kind: type[Kind]) -> list[Kind]:
        """Give the conditioners of a kind: one, or none."""
        return [conditioner for conditioner in self.conditioners if isinstance(conditioner, kind)]

    def changing(self, kind: type[Kind], change: Callable[[Kind], Conditioner | None]) -> Self:
        """Replace the conditioners of a kind, or leave them out (None)."""
        changed: Iterable[Conditioner | None] = (
            change(conditioner) if isinstance(conditioner, kind) else conditioner
            for conditioner in self.conditioners
        )
        return self.derive(conditioners=tuple(kept for kept in changed if kept is not None))

    def calibrated(self, calibration: Calibration) -> Self:
        """The same network, asking at inference for what its training data show."""
        return self.derive(conditioners=tuple(one.calibrated(calibration) for one in self.conditioners))

    def without(self, *kinds: type[Conditioner]) -> Self:
        """The same system with some conditioners left out."""
        return self.derive(conditioners=tuple(one for one in self.conditioners if not isinstance(one, kinds)))
