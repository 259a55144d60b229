"""Classifiers of parts at work in a sampling step, for guidance that asks them.

noised latents of a segment --masked--> classifier of the part, told what the full pass is --> -log s
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as nnf

from ..backbone.part_classifier import PartClassifiers
from ..guidance.guidance import FULL
from ..guidance.step import FACE, Part
from .network import GuidedNetwork, Moment

Windows = Iterable[tuple[Iterable[int], GuidedNetwork]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Classifiers:
    """What guidance by parts is given: the classifiers, and where the face is.

    Shapes:   face_HW (h, w) at the latents' resolution, 0..1
    """

    networks: PartClassifiers
    face_HW: Tensor

    def mask(self, part: Part) -> Tensor:
        """Say where a part is, (1, 1, h, w)."""
        face = self.face_HW[None, None]
        return face if part == FACE else 1 - face


class Critics:
    """The classifiers, asked of the frames that are being sampled.

    windows: at a moment, which frames make up a clip of their own, and the network that is told what drives
    them; one for a segment of a chain
    """

    def __init__(self, classifiers: Classifiers, windows: Callable[[Moment], Windows]) -> None:
        self.classifiers, self._windows = classifiers, windows

    def misfit(self, part: Part, x_FCHW: Tensor, moment: Moment) -> Tensor:
        """-log s, summed over the windows; gradients pass through."""
        terms = [
            self._of(part, x_FCHW[list(frames)], network, moment) for frames, network in self._windows(moment)
        ]
        return torch.stack(terms).sum()

    def mask(self, part: Part) -> Tensor:
        return self.classifiers.mask(part)

    def _of(  # noqa: PLR0917
        self, part: Part, x_FCHW: Tensor, network: GuidedNetwork, moment: Moment
    ) -> Tensor:
        shown = x_FCHW * self.classifiers.mask(part).to(x_FCHW)
        with torch.no_grad():
            told = network.conditions((FULL,)).without_memo()  # the denoiser's memo is not the classifier's
        logit_1 = self.classifiers.networks.of(part)(
            shown.to(network.device, network.dtype),
            moment.timestep.float().to(network.device)[None],
            told,
            network.model.denoiser,
        )
        return -nnf.logsigmoid(logit_1.float()).sum()
