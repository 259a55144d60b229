"""What travels on the pack's own wires. Native types are used wherever there is one.

CYBERHOST_PARTS, CYBERHOST_AUDIO, CYBERHOST_CLARITY, CYBERHOST_CROPS, CYBERHOST_REFERENCE,
CYBERHOST_HAND_TRACK, CYBERHOST_HAND_MAPS
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...cyberhost_core.conditioners.sound import SoundFeatures
from ...cyberhost_core.conditioners.values import Encoded, Face
from ...cyberhost_core.hands.track import HandTrack
from ...cyberhost_core.systems.spec import SystemSpec

__all__ = ["AudioTrack", "Clarity", "Crops", "HandMaps", "HandTrack", "Parts", "ReferenceBank"]


@dataclass(frozen=True, eq=False)
class Parts:
    """Everything of a checkpoint but its denoiser.

    encoders: a ModelPatcher of core Encoders, whose weights are of that dtype; identity: tells checkpoints
    apart, so that nothing gets mixed; picture_floor_db: pictures that the autoencoder gives back worse than
    this are refused
    """

    encoders: Any
    spec: SystemSpec
    dtype: torch.dtype
    identity: str
    picture_floor_db: float


@dataclass(frozen=True, eq=False)
class AudioTrack:
    """Speech features, one row per video frame.

    hearing: how they were made, in the core's words; "whisper" rows are windows already

    Shapes:   features_FD (F, D) float16 on the CPU
    """

    features_FD: Tensor
    fps: float
    seconds: float
    hearing: str

    @property
    def heard(self) -> SoundFeatures:
        """The features as the core's conditioner takes them."""
        return SoundFeatures(features_FD=self.features_FD, hearing=self.hearing)


@dataclass(frozen=True, eq=False)
class Clarity:
    """Hand clarity scores (F, 4): absolute left, right in grey levels, relative left, right."""

    scores_F4: Tensor


@dataclass(frozen=True, eq=False)
class Crops:
    """What this person's hands and face look like.

    Shapes:   hands_HCYX (2, 3, 128, 128) in 0..1, left and right
    """

    hands_HCYX: Tensor
    face: Face


@dataclass(frozen=True, eq=False)
class ReferenceBank:
    """What the reference picture gives, on the CPU; identity names the checkpoint that made it.

    opening: what stands for the frames before the first segment, nothing for most systems

    Units:    height, width: of the picture, in px
    """

    reference: Encoded
    opening: Encoded
    identity: str
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class HandMaps:
    """What EMO2's second stage is told of the hands, one frame per frame of the video.

    Shapes:   hand_maps_FCYX, keypoint_maps_FCYX (F, 3, Y, X) float32 in 0..1, on the CPU; confidence_FH
              (F, 2): left, right, 0..1
    """

    hand_maps_FCYX: Tensor
    keypoint_maps_FCYX: Tensor
    confidence_FH: Tensor
    fps: float
