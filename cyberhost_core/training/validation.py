"""Watch a run: held-out loss, whether the face listens to the sound, and a sampled clip to look at."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..backbone.vae import TinyVAE
from ..checkpoints.stable_diffusion import StableDiffusionVAE
from ..conditioners.values import NOTHING
from ..sampling.denoise import SamplingOptions
from ..sampling.video import sample_segment
from ..systems.model import SystemModel
from .batch import Batch
from .stage import TrainingModule


@torch.no_grad()
def audio_gap(model: SystemModel, batch: Batch) -> dict[str, float]:
    """Compare the face's error with the true sound and with another clip's.

    The plain loss falls long before a model listens; this gap is zero until it does, and then grows. Clips of
    the batch exchange their sounds; a system that hears nothing has none.

    Shapes:   returns held_out, the plain error, and audio_gap = (error with a wrong sound - with the true
              one) / the true one
    """
    module = TrainingModule(model, ())
    sounds = {name: value.roll(1, dims=0) for name, value in batch.drive.items() if name == "audio"}
    wrong = replace(batch, drive={**batch.drive, **sounds})
    true_error, wrong_error = (_face_error(module, one) for one in (batch, wrong))
    overall = _error(module, batch).mean()
    return {"held_out": float(overall), "audio_gap": float((wrong_error - true_error) / true_error)}


def sample_clip(model: SystemModel, vae: TinyVAE | StableDiffusionVAE, batch: Batch) -> np.ndarray:
    """Sample the batch's first clip: its reference picture, then the frames, uint8 (1 + F, Y, X, 3)."""
    one = slice(0, 1)
    first = replace(
        batch,
        latents=batch.latents[one],
        portrait={name: value[one] for name, value in batch.portrait.items()},
        drive={name: value[one] for name, value in batch.drive.items()},
    )
    options = SamplingOptions(schedule=model.spec.schedule, guidance=model.spec.guidance)
    with torch.no_grad():
        reference = model.read(first.portrait)
        latents = sample_segment(
            model, reference, first.driven(NOTHING), batch.noise[0], options, on_step=_no_report
        )
        shown = torch.cat([first.portrait["latents"], latents]) / model.spec.latent_scale
        pictures = torch.cat([vae.decode(one) for one in shown.split(1)])  # bounds the memory
    return ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _face_error(module: TrainingModule, batch: Batch) -> Tensor:
    mask = batch.targets["face_mask"]
    return (_error(module, batch) * mask).sum() / mask.sum()


def _error(module: TrainingModule, batch: Batch) -> Tensor:
    answer = module.answer(batch)
    return (answer.predicted_NCHW.float() - answer.target_NCHW).pow(2).mean(dim=1, keepdim=True)


def _no_report(_done: int, _steps: int) -> None:
    pass
