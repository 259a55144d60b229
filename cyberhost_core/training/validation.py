"""Watch a run: held-out loss, whether the face listens to the sound, and a sampled clip to look at."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..backbone.vae import TinyVAE
from ..diffusion.guidance import Guidance
from ..systems.encoders import Drive
from ..systems.model import SystemModel
from ..systems.sampling import SamplingOptions, sample_segment
from .batches import Batch
from .losses import LossConfig
from .stage import TrainingModule


@torch.no_grad()
def audio_gap(model: SystemModel, batch: Batch) -> dict[str, float]:
    """Compare the face's error with the true sound and with another clip's.

    The plain loss falls long before a model listens; this gap is zero until it does, and then grows. Clips of
    the batch exchange their sounds.

    Shapes:   returns held_out, the plain error, and audio_gap = (error with a wrong sound - with the true
              one) / the true one
    """
    module = TrainingModule(model, LossConfig())
    wrong = replace(batch, audio=batch.audio.roll(1, dims=0))
    true_error, wrong_error = (_face_error(module, one) for one in (batch, wrong))
    overall = _error(module, batch).mean()
    return {"held_out": float(overall), "audio_gap": float((wrong_error - true_error) / true_error)}


def sample_clip(model: SystemModel, vae: TinyVAE, batch: Batch) -> np.ndarray:
    """Sample the batch's first clip: its reference picture, then the frames, uint8 (1 + F, Y, X, 3)."""
    spec = model.spec
    one = slice(0, 1)
    with torch.inference_mode():
        reference = model.encode_reference(
            latents_BCHW=batch.reference[one],
            skeleton_BCYX=batch.skeleton[one],
            hand_crops_BHCYX=batch.hand_crops[one],
            face_vector_BD=batch.face[one],
        )
        drive = Drive(audio_BFWD=batch.audio[one], maps_BFCYX=batch.maps[one], clarity_BF4=batch.clarity[one])
        options = SamplingOptions(
            schedule=spec.schedule,
            guidance=Guidance(reference_scale=spec.reference_scale, audio_scale=spec.audio_scale),
        )
        latents = sample_segment(model, reference, drive, batch.noise[0], options, on_step=_no_report)
        pictures = vae.decode(torch.cat([batch.reference[one], latents]))
    return ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _face_error(module: TrainingModule, batch: Batch) -> Tensor:
    mask = batch.face_mask
    return (_error(module, batch) * mask).sum() / mask.sum()


def _error(module: TrainingModule, batch: Batch) -> Tensor:
    predicted, _ = module.predict(batch)
    target = module.schedule.target(batch.latents, batch.noise, batch.timestep).flatten(0, 1)
    return (predicted.float() - target).pow(2).mean(dim=1, keepdim=True)


def _no_report(_done: int, _steps: int) -> None:
    pass
