"""Dual classifier-free guidance over reference and sound.

    e = e(null) + s_ref (e(ref) - e(null)) + s_audio (e(ref, audio) - e(ref))

Source: CyberHost appendix E (scales 2.5 and 4.5; "specific implementation can be referenced in" DreamPose).
Reads:    the null pass drops reference features, identity tokens and the reference's pose, and hears zeros;
          movement map, clarity and motion frames stay in all passes. ComfyUI's DualCFGGuider "regular" is the
          same formula. With one scale for both, the pass in the middle weighs nothing: plain guidance, as
          the public relatives do; some of them drop the map, too (DrawnMaps.always).
"""

from typing import Literal, Self

from .guidance import FULL, WITHOUT_BOTH, WITHOUT_SOUND, Guidance, Rung


class DualGuidance(Guidance):
    """The two scales."""

    kind: Literal["dual"] = "dual"
    reference_scale: float = 2.5
    audio_scale: float = 4.5

    def rungs(self, noise: float) -> tuple[Rung, ...]:
        return Rung(WITHOUT_BOTH), Rung(WITHOUT_SOUND, self.reference_scale), Rung(FULL, self.audio_scale)

    def with_scales(self, *, reference: float | None, audio: float | None) -> Self:
        return self.derive(
            reference_scale=self.reference_scale if reference is None else reference,
            audio_scale=self.audio_scale if audio is None else audio,
        )
