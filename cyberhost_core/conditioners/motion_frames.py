"""The last frames of the segment before, read by the ReferenceNet, for the motion modules.

the frames before -> ReferenceNet -> features by module path, before the clip on the time axis
Absent:   the clip stands alone; its positions in time stay the same.
Source:   CyberHost section 3.1; Hallo lets the portrait stand for the frames before the first segment
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ..backbone.conditions import Conditions
from ..backbone.reference_net import ReferenceNet
from ..errors import ConfigError
from .conditioner import Conditioner, Place, Reader
from .image_tokens import IMAGE
from .reference_features import image_tokens_of_input
from .values import REFERENCE, Drive, Encoded, Inputs, Missing, choose, having


class MotionFrames(Conditioner):
    """frames: how many; alternating: see ReferenceFeatures."""

    kind: Literal["motion_frames"] = "motion_frames"
    frames: int = 4
    alternating: bool = False

    @property
    def past_frames(self) -> int:
        return self.frames

    def build(self, parts: nn.Module, place: Place) -> Reader:
        network = getattr(parts, "reference_net", None)
        if not isinstance(network, ReferenceNet):
            raise ConfigError(
                "The system lists motion frames, which the ReferenceNet reads, but no reference features "
                "before them; list reference_features first."
            )
        return _Reader(self, network, place)


class _Reader(Reader):
    def __init__(self, config: MotionFrames, network: ReferenceNet, place: Place) -> None:
        self.network, self.alternating, self.inputs = network, config.alternating, 1 + place.past_frames

    def follow(self, past_BMCHW: Tensor, reference: Encoded) -> Inputs:
        # only image tokens tell a pass with the reference from one without
        prefixes = {"motion": True} | ({"null_motion": False} if IMAGE in reference else {})
        return {
            f"{prefix}:{path}": value
            for prefix, present in prefixes.items()
            for path, value in self._features(past_BMCHW, reference, present=present).items()
        }

    def _features(self, past_BMCHW: Tensor, reference: Encoded, *, present: bool) -> dict[str, Tensor]:
        image = [
            image_tokens_of_input(
                reference, present=present, number=number, alternating=self.alternating, inputs=self.inputs
            )
            for number in range(1, 1 + past_BMCHW.shape[1])
        ]
        features = self.network.features(
            past_BMCHW.flatten(0, 1), past_BMCHW.new_zeros(1), torch.stack(image, dim=1).flatten(0, 1)
        )
        return {path: value.unflatten(0, (len(past_BMCHW), -1)) for path, value in features.items()}

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        seen, null = drive.motion.under("motion"), drive.motion.under("null_motion")
        rows = having(missing, REFERENCE)
        return replace(
            conditions,
            motion={path: choose(rows, value, null.get(path, value)) for path, value in seen.items()},
        )
