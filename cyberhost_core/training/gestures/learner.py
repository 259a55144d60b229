"""The loss of EMO2's stage 1: how far what is predicted is from the truth, and how differently it moves.

L = w |y - y^|^2 + velocity * w |dy - dy^|^2      only over frames and hands that are there

y is what the schedule lets predict: the clean motion, or the noise; equation 1 is the noise's with w = 1 and
velocity = 0.
"""

import torch
from torch import Tensor

from ...config import Config
from ...diffusion.schedule import NoiseSchedule
from ...gesture.model import GestureModel
from ..trainer import Learner
from .batches import GestureBatch


class GestureLoss(Config):
    """Weights of the loss.

    leading_weight: of the numbers that move a whole hand (its wrist's turn, its place, or an arm's turns)
    against 1 for a finger's; velocity_weight: of the differences from frame to frame, the first one of which
    is to the frames before.
    """

    leading_weight: float = 5.0
    velocity_weight: float = 3.0


class GestureLearner(Learner[GestureModel]):
    """Compute the losses of a batch of spans.

    Source:   EMO2 equation 1, on the noise; weights and velocity are ours, for the clean motion. A velocity
              term is usual in motion diffusion (Tevet et al. 2023, "Human Motion Diffusion Model")
    """

    weight_D: Tensor

    def __init__(self, model: GestureModel, loss: GestureLoss) -> None:
        super().__init__()
        self.model, self.loss = model, loss
        self.schedule = NoiseSchedule(model.config.schedule)
        weight_D = 1 + (loss.leading_weight - 1) * torch.from_numpy(model.form.leading_D).float()
        self.register_buffer("weight_D", weight_D / weight_D.mean(), persistent=False)

    def forward(self, batch: GestureBatch) -> dict[str, Tensor]:
        noisy = self.schedule.add_noise(batch.motion, batch.noise, batch.timestep)
        answer = self.model.transformer(
            noisy,
            batch.timestep.float(),
            audio_BFD=batch.audio,
            mask_BFH=batch.mask,
            before_BPD=batch.before,
            style_B=batch.style,
            amplitude_BH=batch.amplitude,
            offset_BFD=batch.offset,
        )
        error = answer.float() - self.schedule.target(batch.motion, batch.noise, batch.timestep)
        # The frames before are given: their error is none, so that the first step from them counts, too.
        error = torch.cat([torch.zeros_like(batch.before), error], dim=1)
        known = torch.cat([batch.before_known, batch.known], dim=1)
        count = batch.before.shape[1]
        losses = {"motion": self._mean(error[:, count:], known[:, count:])}
        both = known[:, 1:] & known[:, :-1]
        first = max(0, count - 1)
        velocity = self._mean(error.diff(dim=1)[:, first:], both[:, first:])
        return {**losses, "velocity": self.loss.velocity_weight * velocity}

    def _mean(self, error_BFD: Tensor, known_BFD: Tensor) -> Tensor:
        return (self.weight_D * error_BFD.square() * known_BFD).sum() / known_BFD.sum().clamp(min=1)
