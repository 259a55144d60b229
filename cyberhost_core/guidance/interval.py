"""Guidance over an interval of the noise levels: outside of it, the full pass alone.

Source: Kynkäänniemi et al. 2024, "Applying Guidance in a Limited Interval Improves Sample and Distribution
        Quality in Diffusion Models", section 3 (their sigma is ours over alpha)
"""

from typing import Literal, Self

from pydantic import SerializeAsAny
from torch import Tensor

from .guidance import FULL, Guidance, Pass, Rung
from .step import Part, Step


class IntervalGuidance(Guidance):
    """within: the method inside; it holds where lowest < noise <= highest.

    Units:    lowest, highest: sigma_t of a variance-preserving diffusion, 0..1
    """

    kind: Literal["interval"] = "interval"
    within: SerializeAsAny[Guidance]
    lowest: float = 0.0
    highest: float = 1.0

    @property
    def own_steps(self) -> bool:
        return self.within.own_steps

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.within.parts

    @property
    def passes(self) -> tuple[Pass, ...]:
        return tuple(dict.fromkeys((*self.within.passes, FULL)))

    def rungs(self, noise: float) -> tuple[Rung, ...]:
        return self.within.rungs(noise) if self._holds(noise) else (Rung(FULL),)

    def advance(self, x_FCHW: Tensor, step: Step) -> Tensor:
        return self.within.advance(x_FCHW, step) if self._holds(step.noise) else step.solve(x_FCHW)

    def _holds(self, noise: float) -> bool:
        return self.lowest < noise <= self.highest

    def with_scales(self, *, reference: float | None, audio: float | None) -> Self:
        return self.derive(within=self.within.with_scales(reference=reference, audio=audio))
