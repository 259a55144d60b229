"""What drives a whole video, from which segments and windows are cut."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ..conditioners.asks import MAP, SOUND
from ..conditioners.conditioner import Given, TrackSize
from ..conditioners.values import NOTHING, Drive, Encoded
from ..errors import ConfigError
from ..systems.spec import SystemSpec


class PerFrame(Protocol):
    """Rows of a whole video that are made on demand, such as maps that are drawn when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index_N: Tensor) -> Tensor:
        """Give the rows (N, ...) of some frames."""
        ...


@dataclass(frozen=True, kw_only=True)
class Track:
    """Hold every frame's drive; beyond the end, the last frame is held.

    Shapes:   values: name -> (F, ...), or (1, ...) for what stands still, or what makes such rows
    """

    frames: int
    values: Mapping[str, Tensor | PerFrame]

    def __len__(self) -> int:
        return self.frames

    def first(self, frames: int) -> "Track":
        """Cut to the first frames."""
        return replace(self, frames=min(frames, self.frames))

    def of(self, frames: Iterable[int], *, motion: Encoded = NOTHING) -> Drive:
        """Drive of any frames, in the order given."""
        index_N = torch.tensor(list(frames)).clamp(max=self.frames - 1)
        return Drive(
            frames=len(index_N),
            values={name: _rows(value, index_N)[None] for name, value in self.values.items()},
            motion=motion,
        )


def _rows(value: Tensor | PerFrame, index_N: Tensor) -> Tensor:
    if isinstance(value, Tensor) and len(value) == 1:
        return value.float()
    return value[index_N.clamp(max=len(value) - 1)].float()


def make_track(spec: SystemSpec, told: Given, *, height: int, width: int) -> Track:
    """Turn what was told of a video's frames into what drives them.

    The sound says how many frames there are; where the system hears nothing, the maps do.

    Units:    height, width: of the reference picture, in px
    Raises:   ConfigError: nothing says how long the video is; whatever the conditioners refuse
    """
    size = TrackSize(system=spec.name, frames=_length(spec, told), height=height, width=width)
    values: dict[str, Tensor | PerFrame] = {}
    for conditioner in spec.conditioners:
        values |= conditioner.of_track(told, size)
    return Track(frames=size.frames, values=values)


def _length(spec: SystemSpec, told: Given) -> int:
    if SOUND in told and SOUND in spec.asks_of_track:
        return len(told[SOUND].features_FD)
    if MAP in told:
        return len(told[MAP])
    raise ConfigError(
        "Nothing says how long the video is: neither speech features nor maps were given; give one map per "
        "frame, such as skeletons drawn from a video."
    )
