"""What a CONDITIONING of this pack carries: one guidance pass over the whole track.

CyberHost Conditions --> Passage("full" | "reference" | "null") --> sampler cuts a segment out
                                                                      --> conditions of its frames
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from ...cyberhost_core.backbone.conditions import Conditions
from ...cyberhost_core.errors import ConfigError
from ...cyberhost_core.systems.model import Encoders, Reference
from ...cyberhost_core.systems.sampling import Track
from ..types import Parts, ReferenceBank

KEY = "cyberhost"  # under which a cond's dictionary holds its passage
PassName = Literal["full", "reference", "null"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Passage:
    """One pass: who (reference), what drives it (track), which of it this pass sees (name), from which frame.

    motion: features of the motion frames, path -> (1, M, S, C); empty for a first segment
    """

    name: PassName
    parts: Parts
    bank: ReferenceBank
    track: Track
    start: int = 0
    motion: Mapping[str, Tensor] = field(default_factory=dict)

    def at(self, start: int, motion: Mapping[str, Tensor]) -> "Passage":
        """Move to a later segment."""
        return replace(self, start=start, motion=motion)

    @torch.inference_mode()
    def conditions(self, frames: int, *, device: torch.device, dtype: torch.dtype) -> Conditions:
        """Encode the frames start .. start + frames; the encoders must be loaded on `device`.

        Raises:   ConfigError: more frames than the system makes at once
        """
        spec = self.parts.spec
        if frames > spec.long_video.frames:
            raise ConfigError(
                f"The latent has {frames} frames, but this system samples at most {spec.long_video.frames} "
                "at once; use the RAM U-Net Sampler for the whole length, or cut one segment out with Latent "
                "From Batch."
            )
        encoders: Encoders = self.parts.encoders.model
        drive = self.track.at(self.start, frames)
        audio = drive.audio_BFWD if self.name == "full" else torch.zeros_like(drive.audio_BFWD)
        drive = replace(
            drive,
            audio_BFWD=audio.to(device, dtype),
            maps_BFCYX=drive.maps_BFCYX.to(device, dtype),
            clarity_BF4=drive.clarity_BF4.to(device),
            motion=_moved(self.motion, device, dtype),
        )
        reference = Reference(
            _moved(self.bank.reference.features, device, dtype),
            _moved(self.bank.reference.identity, device, dtype),
            self.bank.reference.input_BCHW.to(device, dtype),
        )
        return encoders.conditions(reference, drive, reference_rows=[self.name != "null"])


def passage_of(conditioning: list) -> Passage:
    """Find the passage in a CONDITIONING.

    Raises:   ConfigError: it was not made by CyberHost Conditions
    """
    found = conditioning[0][1].get(KEY) if conditioning else None
    if not isinstance(found, Passage):
        raise ConfigError(
            "This conditioning was not made by CyberHost Conditions; connect that node's positive, reference "
            "only and negative outputs."
        )
    return found


def _moved(tensors: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    return {key: value.to(device, dtype) for key, value in tensors.items()}
