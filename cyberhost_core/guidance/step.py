"""What a sampler offers to a guidance in one step, in the core and in a host alike."""

from typing import Literal, Protocol

from torch import Tensor

Part = Literal["face", "non_face"]
FACE: Part = "face"
NON_FACE: Part = "non_face"
PARTS = (FACE, NON_FACE)


class Step(Protocol):
    """One step from a noise level to the next.

    Units:    number of count, from 0; noise: sigma_t of a variance-preserving diffusion, 0..1
    """

    @property
    def number(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def noise(self) -> float: ...

    def solve(self, x_FCHW: Tensor) -> Tensor:
        """Go one step of the numerical solver, with guided predictions; both ends as `advance` has them.

        It may be called several times: each call starts from the solver's state at the beginning of the step.
        """
        ...

    def clean(self, x_FCHW: Tensor) -> Tensor:
        """Estimate the latents without noise at x, by the guided prediction; gradients pass through."""
        ...

    def misfit(self, part: Part, x_FCHW: Tensor) -> Tensor:
        """Say how little a part of x belongs to the sound: -log of how sure its classifier is, a number.

        Raises:   ConfigError: no classifiers were given
        """
        ...

    def mask(self, part: Part) -> Tensor:
        """Say where a part is, (F or 1, 1, h, w), 0..1; both together are everywhere.

        Raises:   ConfigError: no classifiers were given
        """
        ...
