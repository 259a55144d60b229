"""What a guidance method is: the passes that it runs at a noise level, their sum, and a step of the sampler.

latents -> passes, each without some of the conditions -> combined prediction -> solver -> latents
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from torch import Tensor

from ..config import Member
from .step import Part, Step

_NO_WEIGHT = 1e-9


@dataclass(frozen=True)
class Pass:
    """A run of the denoiser, and what it goes without, in the words of the conditioners."""

    name: str
    without: frozenset[str] = frozenset()


FULL = Pass("full")
WITHOUT_SOUND = Pass("reference", frozenset({"sound"}))
WITHOUT_BOTH = Pass("null", frozenset({"reference", "sound"}))


@dataclass(frozen=True)
class Rung:
    """A pass, and the scale of its difference from the one before; the first one's scale is not used."""

    seen: Pass
    scale: float = 1.0


class Guidance(Member):
    """A method; most need only say their rungs."""

    @property
    def own_steps(self) -> bool:
        """Whether the method corrects latents itself: a sampler must then go step by step, by `advance`."""
        return False

    @property
    def parts(self) -> tuple[Part, ...]:
        """Parts whose classifiers it asks: whoever samples must have them."""
        return ()

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Every pass that it runs at some noise level."""
        return tuple(rung.seen for rung in self.rungs(1.0))

    def rungs(self, noise: float) -> tuple[Rung, ...]:
        """List the passes from the one that is told least, with the scales of their differences.

            e = e(first) + sum_i scale_i (e(i) - e(i - 1))

        Units:    noise: sigma_t of a variance-preserving diffusion, 0..1
        """
        raise NotImplementedError

    def weights(self, noise: float = 1.0) -> dict[Pass, float]:
        """The same sum, sorted by pass; those of weight zero need not be run at all."""
        rungs = self.rungs(noise)
        scales = [1.0, *(rung.scale for rung in rungs[1:]), 0.0]
        weights = (scale - above for scale, above in pairwise(scales))
        return {
            rung.seen: weight for rung, weight in zip(rungs, weights, strict=True) if abs(weight) > _NO_WEIGHT
        }

    def combine(self, predictions: Mapping[Pass, Tensor], noise: float) -> Tensor:
        """Sum the predictions of the passes that weigh something."""
        weights = iter(self.weights(noise).items())
        first, weight = next(weights)
        total = predictions[first] * weight
        for seen, weight in weights:
            total = total + predictions[seen] * weight
        return total

    def advance(self, x_FCHW: Tensor, step: Step) -> Tensor:
        """Go from one noise level to the next, in own_steps.

        Shapes:   x (F, C, h, w) as a variance-preserving diffusion has them, whatever the solver keeps
        """
        return step.solve(x_FCHW)

    def with_scales(self, *, reference: float | None, audio: float | None) -> Self:
        """Take the two scales that commands and nodes offer; None leaves one as it is."""
        raise NotImplementedError
