"""What a loss is: a value that a stage lists, the targets that it needs, and the module that it builds."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ...backbone.conditions import Taps
from ...conditioners.values import Inputs
from ...config import Member
from ...data.clip import Clip
from ...diffusion.schedule import NoiseSchedule
from ...systems.spec import SystemSpec
from ..batch import Batch


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What a model made of a batch, and what it should have been.

    Shapes:   predicted, target (B * F, C, h, w); taps: what layers saw, of the kinds that losses asked for
    """

    batch: Batch
    predicted_NCHW: Tensor
    target_NCHW: Tensor
    taps: Taps
    schedule: NoiseSchedule


class LossModule(nn.Module):
    """Compute named losses of an answer; its parameters, if any, are trained and not handed on."""

    def forward(self, answer: Answer) -> dict[str, Tensor]:
        raise NotImplementedError


class Loss(Member):
    """A loss as a value."""

    @property
    def taps(self) -> frozenset[str]:
        """Kinds of what layers see that it looks at, see Taps."""
        return frozenset()

    def targets(self, clip: Clip, spec: SystemSpec) -> Inputs:
        """Draw what it compares with.

        Shapes:   name -> (F, ...)
        """
        del clip, spec
        return {}

    def build(self, spec: SystemSpec, networks: Mapping[str, nn.Module]) -> LossModule:
        """Build what computes it; networks: those that losses may ask, by name.

        Raises:   CheckpointError: it asks a network that was not given
        """
        raise NotImplementedError


def cells_of(clip: Clip) -> tuple[int, int]:
    """Height and width of a clip's latents."""
    height, width = clip.video.latents_FCHW.shape[-2:]
    return height, width
