"""Dual classifier-free guidance over reference and sound.

    e = e(null) + s_ref (e(ref) - e(null)) + s_audio (e(ref, audio) - e(ref))

Source: CyberHost appendix E (scales 2.5 and 4.5; "specific implementation can be referenced in" DreamPose).
Reads:    the null pass drops reference features, identity tokens and the reference's pose, and hears zeros;
          movement map, clarity and motion frames stay in all passes. ComfyUI's DualCFGGuider "regular" is the
          same formula. With one scale for both, the pass in the middle weighs nothing: plain guidance, as
          the public relatives do; some of them drop the map, too (SystemSpec.null_keeps_map).
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from ..config import Config

PassName = Literal["null", "reference", "full"]
PASSES: tuple[PassName, ...] = ("null", "reference", "full")


class Guidance(Config):
    """The two scales."""

    reference_scale: float = 2.5
    audio_scale: float = 4.5

    def weights(self) -> dict[PassName, float]:
        """Weigh the passes; those of weight zero need not be run at all.

        The formula, sorted by pass: (1 - s_ref) e(null) + (s_ref - s_audio) e(ref) + s_audio e(ref, audio).
        """
        weights = (1 - self.reference_scale, self.reference_scale - self.audio_scale, self.audio_scale)
        return {name: weight for name, weight in zip(PASSES, weights, strict=True) if abs(weight) > 1e-9}


def combine(predictions: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Sum the predictions of the passes by their weights."""
    total = predictions[0] * weights[0]
    for prediction, weight in zip(predictions[1:], weights[1:], strict=True):
        total = total + prediction * weight
    return total
