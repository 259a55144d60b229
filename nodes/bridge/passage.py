"""What a CONDITIONING of this pack carries: one guidance pass over the whole track.

CyberHost Conditions --> Passage(full | without sound | without both) --> sampler cuts a segment out
                                                                      --> conditions of its frames
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from ...cyberhost_core.backbone.conditions import Conditions
from ...cyberhost_core.conditioners.values import NOTHING, Encoded
from ...cyberhost_core.errors import ConfigError
from ...cyberhost_core.guidance.guidance import Pass
from ...cyberhost_core.sampling.track import Track
from ..helpers.types import Parts, ReferenceBank
from .outside_inference import differentiable

if TYPE_CHECKING:
    from ...cyberhost_core.systems.encoders import Encoders

KEY = "cyberhost"  # under which a cond's dictionary holds its passage


@dataclass(frozen=True, eq=False, kw_only=True)
class Passage:
    """One pass: who (bank), what drives it (track), what it goes without (seen), from which frame.

    motion: what was read of the frames before; is_whole: the sampler cuts windows out of all frames itself
    """

    seen: Pass
    parts: Parts
    bank: ReferenceBank
    track: Track
    start: int = 0
    motion: Encoded = NOTHING
    is_whole: bool = False

    def at(self, start: int, motion: Encoded) -> "Passage":
        """Move to a later segment."""
        return replace(self, start=start, motion=motion)

    def whole(self) -> "Passage":
        """Stand for all frames, of which windows will be asked for."""
        return replace(self, is_whole=True)

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
        return self.window(range(self.start, self.start + frames), device=device, dtype=dtype)

    def window(self, frames: Iterable[int], *, device: torch.device, dtype: torch.dtype) -> Conditions:
        """Encode any frames, in the order given."""
        encoders: Encoders = self.parts.encoders.model
        with differentiable():
            drive = self.track.of(frames, motion=self.motion.to(device, dtype))
            drive = replace(drive, device=device, dtype=dtype)
            reference = self.bank.reference.to(device, dtype)
            return encoders.conditions(reference, drive, missing=(self.seen.without,))


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
