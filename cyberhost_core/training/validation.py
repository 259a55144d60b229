"""Watch a run: held-out loss, whether the face listens to the sound, and a sampled clip to look at."""

import torch
from torch import Tensor

from ..diffusion.schedule import NoiseSchedule
from ..systems.model import SystemModel
from .batches import Batch
from .losses import LossConfig
from .stage import TrainingModule


@torch.no_grad()
def audio_gap(model: SystemModel, batch: Batch) -> dict[str, float]:
    """Compare the face's error with the true sound and with another clip's.

    The plain loss falls long before a model listens; this gap is zero until it does, and then grows. Clips of the batch
    exchange their sounds.

    Shapes:   returns the plain held-out error, and audio_gap = (error with a wrong sound - with the true one) / the true one
    """
    module = TrainingModule(model, LossConfig())
    wrong = _with(batch, audio=batch.audio.roll(1, dims=0))
    true_error, wrong_error = (_face_error(module, one) for one in (batch, wrong))
    overall = _error(module, batch).mean()
    return {"held_out": float(overall), "audio_gap": float((wrong_error - true_error) / true_error)}


def _face_error(module: TrainingModule, batch: Batch) -> Tensor:
    mask = batch.face_mask
    return (_error(module, batch) * mask).sum() / mask.sum()


def _error(module: TrainingModule, batch: Batch) -> Tensor:
    predicted, _ = module.predict(batch)
    schedule: NoiseSchedule = module.schedule
    target = schedule.target(batch.latents, batch.noise, batch.timestep).flatten(0, 1)
    return (predicted.float() - target).pow(2).mean(dim=1, keepdim=True)


def _with(batch: Batch, *, audio: Tensor) -> Batch:
    from dataclasses import replace

    return replace(batch, audio=audio)
