"""What every conditioner is: a value that a system lists, and the reader that it builds for a network.

known of the portrait --of_portrait--> inputs --read---> what is kept for the whole video
the frames before     ------------------------follow-> what is kept for one segment
told of every frame   --of_track-----> drive  --join---> Conditions, for each guidance pass
prepared video        --portrait_of, drive_of--> the same inputs, for training
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np
from torch import Tensor, nn

from ..backbone.conditions import Conditions
from ..backbone.ops import Ops
from ..backbone.unet import UNetConfig
from ..config import Member
from ..data.calibration import Calibration
from ..data.clip import Clip
from ..errors import ConfigError
from .asks import Ask
from .values import Drive, Encoded, Inputs, Missing

Given = Mapping[Ask, Any]


class TrainingSettings(Member):
    """How a conditioner's inputs vary in training; a stage lists those that differ from the default."""


Settings = Sequence[TrainingSettings]
Own = TypeVar("Own", bound=TrainingSettings)


def setting(settings: Settings, default: Own) -> Own:
    """Find the settings of a kind, or take the default."""
    return next((found for found in settings if isinstance(found, type(default))), default)


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a reader is built for; past_frames: how many frames before a segment the system is shown."""

    unet: UNetConfig
    ops: Ops
    past_frames: int


@dataclass(frozen=True, kw_only=True)
class TrackSize:
    """For which system, and how large, a track is made.

    Units:    height, width: of the reference picture, in px
    """

    system: str
    frames: int
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class InputSize:
    """For what size of input shapes are asked.

    Units:    height, width: of the picture, in px
    """

    unet: UNetConfig
    frames: int
    height: int
    width: int


@dataclass(frozen=True)
class InputShapes:
    """Shapes of the inputs by name, without the axis of clips."""

    portrait: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    drive: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class Conditioner(Member):
    """One way into the network, as a value.

    past_frames: how many frames before a segment it reads
    """

    @property
    def past_frames(self) -> int:
        return 0

    @property
    def brings(self) -> frozenset[str]:
        """What it brings to layers that cannot do without, in the words of `conditions`."""
        return frozenset()

    def asks_of_portrait(self) -> tuple[Ask, ...]:
        """What must be known of the portrait, beside its latents."""
        return ()

    def asks_of_track(self) -> tuple[Ask, ...]:
        """What must be told of every frame."""
        return ()

    def of_portrait(self, known: Given, *, unet: UNetConfig) -> Inputs:
        """Make inputs of what is known of the portrait.

        Shapes:   each (1, ...)
        """
        del known, unet
        return {}

    def of_track(self, told: Given, size: TrackSize) -> Mapping[str, Any]:
        """Make inputs of what is told of a video's frames.

        Shapes:   each (F, ...), or (1, ...) for what stands still, or what gives such rows when it is indexed
        """
        del told, size
        return {}

    def portrait_of(self, clip: Clip, *, unet: UNetConfig) -> Inputs:
        """Make a training clip's inputs of the reference picture, each without the axis of clips."""
        del clip, unet
        if self.asks_of_portrait():
            raise self._cannot_be_trained()
        return {}

    def drive_of(self, clip: Clip, rng: np.random.Generator, settings: Settings) -> Inputs:
        """Make a training clip's inputs of every frame, each (F or 1, ...)."""
        del clip, rng, settings
        if self.asks_of_track():
            raise self._cannot_be_trained()
        return {}

    def calibrated(self, calibration: Calibration) -> Self:
        """Ask at inference for what the training data show; what is built stays the same."""
        del calibration
        return self

    def shapes(self, size: InputSize) -> InputShapes:
        """Say what its inputs look like, for whoever measures without knowing what they show."""
        del size
        return InputShapes()

    def build(self, parts: nn.Module, place: Place) -> "Reader":
        """Build what reads; its trainable parts become attributes of `parts`, named as in a checkpoint."""
        raise NotImplementedError

    def _cannot_be_trained(self) -> ConfigError:
        return ConfigError(
            f"The system has the conditioner '{self.kind}', but prepared videos hold nothing to train it "
            "with; train a system without it."
        )


class Reader:
    """What a conditioner does with tensors; each verb may be left out."""

    def read(self, portrait: Inputs, so_far: Encoded) -> Inputs:
        """Encode the portrait, once per video; so_far: what the conditioners before have made of it."""
        del portrait, so_far
        return {}

    def follow(self, past_BMCHW: Tensor, reference: Encoded) -> Inputs:
        """Encode the frames before a segment, once per segment; M is at least 1."""
        del past_BMCHW, reference
        return {}

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        """Add to what the layers read, for clips that go without some of it."""
        del reference, drive, missing
        return conditions
