"""What drives a whole video, from which segments and windows are cut."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from ..controls.audio_windows import windows
from ..errors import AudioError
from .encoders import Drive, Motion
from .spec import SystemSpec

NO_MOTION = Motion()


class Maps(Protocol):
    """Maps of a whole video that are drawn on demand."""

    def __len__(self) -> int: ...

    def __getitem__(self, index_N: Tensor) -> Tensor:
        """Draw the maps (N, C, Y, X) of some frames."""
        ...


@dataclass(frozen=True, kw_only=True)
class Track:
    """Hold every frame's drive; beyond the end, the last frame is held.

    Shapes:   audio_FWD, (F, 0, 0) for a system that hears nothing; maps_FCYX a tensor, F = 1 for a map that
              stands still, or what draws maps as they are asked for; clarity_4; confidence_F2, F = 1 for one
              that lasts; masks: stage -> (regions, S), for the whole video; region_weights
    """

    audio_FWD: Tensor
    maps_FCYX: Tensor | Maps
    clarity_4: Tensor
    confidence_F2: Tensor = field(default_factory=lambda: torch.zeros(1, 2))
    masks: Mapping[int, Tensor] = field(default_factory=dict)
    region_weights: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __len__(self) -> int:
        return len(self.audio_FWD)

    def at(self, start: int, frames: int) -> Drive:
        """Drive of frames start .. start + frames."""
        return self.of(range(start, start + frames))

    def of(self, frames: range | tuple[int, ...], *, motion: Motion = NO_MOTION) -> Drive:
        """Drive of any frames, in the order given."""
        index = torch.tensor(list(frames))
        sure = self.confidence_F2
        return Drive(
            audio_BFWD=self.audio_FWD[index.clamp(max=len(self) - 1)][None].float(),
            maps_BFCYX=self._maps(index)[None],
            clarity_BF4=self.clarity_4.expand(1, len(index), 4),
            confidence_BF2=sure[index.clamp(max=len(sure) - 1)][None],
            motion=motion,
            masks={stage: mask[None, None] for stage, mask in self.masks.items()},
            region_weights=self.region_weights,
        )

    def _maps(self, index_N: Tensor) -> Tensor:
        maps = self.maps_FCYX
        if isinstance(maps, Tensor) and len(maps) == 1:
            return maps
        return maps[index_N.clamp(max=len(maps) - 1)]


def audio_windows(spec: SystemSpec, features_FD: Tensor, *, hearing: str) -> Tensor:
    """Give every frame the window of features that the system takes, (F, window, feature_dim).

    hearing: how the features were made, see AudioSpec
    Raises:   AudioError: otherwise than the system hears, or by a network of another size
    """
    audio, width = spec.audio, features_FD.shape[1]
    if audio is None:
        return silence(len(features_FD))
    expected = audio.feature_dim * (audio.window if audio.hearing == "whisper" else 1)
    if hearing != audio.hearing or width != expected:
        raise AudioError(
            f"The audio features are {width} numbers per frame heard by '{hearing}', but '{spec.name}' was "
            f"trained on {expected} heard by '{audio.hearing}'; use the audio encoder of the same checkpoint."
        )
    if audio.hearing == "whisper":
        return features_FD.unflatten(1, (audio.window, audio.feature_dim))
    return windows(features_FD, size=audio.window)


def silence(frames: int) -> Tensor:
    """What stands for the sound where a system hears nothing: it still says how many frames there are."""
    return torch.zeros(frames, 0, 0)
