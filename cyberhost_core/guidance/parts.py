"""Guidance by classifiers of face and of everything else: do picture and sound belong together?

sequential     z_nf = z    - lambda_nf sigma_t grad D_nf(z)    * M_nf          (equation 8)
               z_f  = z    - lambda_f  sigma_t grad D_f(z_nf)  * M_f           (9)
               z*   = z_f + z_nf - z,   z_{t-1} = solve(z*)                    (10, 11)
differential   z_{t-1} = solve(z*) + lambda_diff (solve(z_nf) * M_f + solve(z_f) * M_nf)        (12)

in the first part of the steps; any other guidance within, which says what the solver's predictions are.

Source: PAHA section 4.2, appendix B.4.2, algorithm 1. Reads: docs/decisions/0009.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, SerializeAsAny
from torch import Tensor

from ..config import Share
from .dual import DualGuidance
from .gradients import gradient
from .guidance import Guidance, Pass, Rung
from .step import FACE, NON_FACE, Part, Step

NotNegative = Annotated[float, Field(ge=0)]


class PartsGuidance(Guidance):
    """What both methods have in common.

    guided: the share of the steps that are guided; never the first, whose latents are noise alone

    Reads:    D is -log s, s being how sure the classifier is that both belong together: the equations
              subtract its gradient, so it must be what should fall. The paper starts guiding at the first
              latents that the solver has made, and counts 15 of 30 steps
    """

    within: SerializeAsAny[Guidance] = DualGuidance()
    face_weight: NotNegative = 0.1
    non_face_weight: NotNegative = 1.0
    guided: Share = 0.5

    @property
    def own_steps(self) -> bool:
        return True

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those whose classifiers are asked."""
        weights: dict[Part, float] = {NON_FACE: self.non_face_weight, FACE: self.face_weight}
        return tuple(part for part, weight in weights.items() if weight and self.guided)

    def rungs(self, noise: float) -> tuple[Rung, ...]:
        return self.within.rungs(noise)

    @property
    def passes(self) -> tuple[Pass, ...]:
        return self.within.passes

    def combine(self, predictions: Mapping[Pass, Tensor], noise: float) -> Tensor:
        return self.within.combine(predictions, noise)

    def with_scales(self, *, reference: float | None, audio: float | None) -> Self:
        return self.derive(within=self.within.with_scales(reference=reference, audio=audio))

    def advance(self, x_FCHW: Tensor, step: Step) -> Tensor:
        if not 0 < step.number <= self.guided * step.count:
            return step.solve(x_FCHW)
        non_face = x_FCHW - self._correction(NON_FACE, self.non_face_weight, x_FCHW, step)
        face = x_FCHW - self._correction(FACE, self.face_weight, non_face, step)
        return self._solved(x_FCHW, step, non_face=non_face, face=face)

    @abstractmethod
    def _solved(self, x_FCHW: Tensor, step: Step, *, non_face: Tensor, face: Tensor) -> Tensor:
        """Go on from what both classifiers made of the latents."""

    @staticmethod
    def _correction(part: Part, weight: float, at_FCHW: Tensor, step: Step) -> Tensor:  # noqa: PLR0917
        """lambda sigma_t grad D(z) * M."""
        if not weight:
            return at_FCHW.new_zeros(())
        slope = gradient(lambda z: step.misfit(part, z), at_FCHW)
        return weight * step.noise * slope * step.mask(part).to(slope)


class SequentialGuidance(PartsGuidance):
    """One step of the solver, from latents that both classifiers have corrected."""

    kind: Literal["sequential"] = "sequential"

    def _solved(self, x_FCHW: Tensor, step: Step, *, non_face: Tensor, face: Tensor) -> Tensor:
        return step.solve(face + non_face - x_FCHW)


class DifferentialGuidance(PartsGuidance):
    """Two more steps, which bring back what each classifier has changed where it should not.

    normalised: divide by 1 + lambda_diff

    Reads:    equation 12 as it is written adds a quarter to every latent in every step, which no solver
              survives: its sum is divided by that of its weights; normalised = False is the equation itself
    """

    kind: Literal["differential"] = "differential"
    differential_weight: NotNegative = 0.25
    normalised: bool = True

    def _solved(self, x_FCHW: Tensor, step: Step, *, non_face: Tensor, face: Tensor) -> Tensor:
        weight, mixed = self.differential_weight, x_FCHW.new_zeros(())
        if weight:
            mixed = step.solve(non_face) * step.mask(FACE).to(x_FCHW)
            mixed = mixed + step.solve(face) * step.mask(NON_FACE).to(x_FCHW)
        solved = step.solve(face + non_face - x_FCHW)  # the last, so that a solver's memory is of this one
        return (solved + weight * mixed) / (1 + weight if self.normalised else 1)
