"""Are body and hands there? A frozen network looks for keypoints in the latents estimated in one step.

x_t, prediction -> x_0 in one step -> pose discriminator -> heatmaps, compared with the true ones

Source: EMO2 section 3.4, "pose discriminator"
"""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from ...conditioners.values import Inputs
from ...controls.limb_heatmaps import pose_heatmaps
from ...data.clip import Clip
from ...errors import CheckpointError
from ...systems.spec import SystemSpec
from ..pose_discriminator import PoseDiscriminator
from .loss import Answer, Loss, LossModule, cells_of

DISCRIMINATOR = "pose_discriminator"  # its name among the networks that losses may ask


class PosePresence(Loss):
    """The weight of the discriminator's loss."""

    kind: Literal["pose_presence"] = "pose_presence"
    weight: float = 1.0

    def targets(self, clip: Clip, spec: SystemSpec) -> Inputs:
        height, width = cells_of(clip)
        return {"pose_heatmaps": pose_heatmaps(clip.pose, height=height, width=width)}

    def build(self, spec: SystemSpec, networks: Mapping[str, nn.Module]) -> LossModule:
        network = networks.get(DISCRIMINATOR)
        if not isinstance(network, PoseDiscriminator):
            raise CheckpointError(
                "This recipe asks a pose discriminator, and none was given; make one with "
                "'cyberhost train pose-discriminator' and give it with --discriminator."
            )
        return _Module(self, network)


class _Module(LossModule):
    def __init__(self, config: PosePresence, discriminator: PoseDiscriminator) -> None:
        super().__init__()
        self.weight, self.discriminator = config.weight, discriminator.requires_grad_(False)

    def forward(self, answer: Answer) -> dict[str, Tensor]:
        batch = answer.batch
        noised = answer.schedule.add_noise(batch.latents, batch.noise, batch.timestep)
        predicted = answer.predicted_NCHW.float().unflatten(0, batch.latents.shape[:2])
        x0 = answer.schedule.to_x0(predicted, noised, batch.timestep).flatten(0, 1)
        return {"pose": self.weight * self.discriminator.loss(x0, batch.targets["pose_heatmaps"])}
