"""Plain classifier-free guidance: everything against nothing, with one scale.

    e = e(null) + scale (e(full) - e(null))

Source: Ho and Salimans 2022
"""

from typing import Literal, Self

from .guidance import FULL, WITHOUT_BOTH, Guidance, Rung


class PlainGuidance(Guidance):
    """One scale for portrait and sound."""

    kind: Literal["plain"] = "plain"
    scale: float = 3.5

    def rungs(self, noise: float) -> tuple[Rung, ...]:
        return Rung(WITHOUT_BOTH), Rung(FULL, self.scale)

    def with_scales(self, *, reference: float | None, audio: float | None) -> Self:
        """Take the sound's scale, or the portrait's where there is no other."""
        chosen = audio if audio is not None else reference
        return self if chosen is None else self.derive(scale=chosen)
