"""What conditioners exchange: named tensors, of the portrait, of every frame, and as they were encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

Inputs = Mapping[str, Tensor]

REFERENCE, SOUND = "reference", "sound"  # what a guidance pass may go without, and training drops


@dataclass(frozen=True, eq=False, kw_only=True)
class Face:
    """A face as a vector.

    Shapes:   unit_D (512,) of length 1; raw_D (512,) the same direction at the length the network gave it
    """

    unit_D: Tensor
    raw_D: Tensor


@dataclass(frozen=True)
class Encoded:
    """What conditioners made of the portrait, or of the frames before a segment, by name."""

    values: Inputs = field(default_factory=dict)

    def __getitem__(self, name: str) -> Tensor:
        return self.values[name]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Give the values whose names begin with "prefix:", without it."""
        start = f"{prefix}:"
        return {
            name.removeprefix(start): value for name, value in self.values.items() if name.startswith(start)
        }

    def only(self, *names: str) -> "Encoded":
        """Keep some values; names that are not there are left out."""
        return Encoded({name: self.values[name] for name in names if name in self.values})

    def to(self, device: torch.device, dtype: torch.dtype) -> "Encoded":
        """Move and convert every tensor."""
        return Encoded({name: moved(value, device, dtype) for name, value in self.values.items()})


NOTHING = Encoded()


@dataclass(frozen=True, kw_only=True)
class Drive:
    """What drives the frames of one segment of B clips, and where it is to be read.

    Shapes:   values: name -> (B, F, ...), or (B, 1, ...) for what stands still
    motion: what conditioners made of the frames before
    """

    frames: int
    clips: int = 1
    values: Inputs = field(default_factory=dict)
    motion: Encoded = NOTHING
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32

    def __getitem__(self, name: str) -> Tensor:
        """Give a value on the device, in the precision."""
        return moved(self.values[name], self.device, self.dtype)

    def exact(self, name: str) -> Tensor:
        """Give a value on the device as it is: a score that is to be embedded."""
        value = self.values[name]
        return moved(value, self.device, value.dtype)

    def rows(self, value: Tensor) -> Tensor:
        """Fold clips and frames; what stands still is repeated, (B, F or 1, ...) -> (B * F, ...)."""
        return value.expand(-1, self.frames, *value.shape[2:]).flatten(0, 1)


Missing = Sequence[frozenset[str]]  # per clip: what it goes without


def having(missing: Missing, group: str) -> tuple[bool, ...]:
    """Say which clips have something."""
    return tuple(group not in absent for absent in missing)


def choose(having_B: Sequence[bool], present: Tensor, absent: Tensor) -> Tensor:
    """Take each clip's rows from one of two tensors of the same form; clips lead both."""
    if all(having_B):
        return present
    if not any(having_B):
        return absent
    rows = torch.tensor(having_B, device=present.device).repeat_interleave(len(present) // len(having_B))
    return torch.where(rows.view(-1, *[1] * (present.ndim - 1)), present, absent)


def moved(value: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Move and convert a tensor.

    One that was made in inference mode is copied outside of it, because gradients cannot pass through it.
    """
    out = value.to(device, dtype)
    return out.clone() if out.is_inference() and not torch.is_inference_mode_enabled() else out
