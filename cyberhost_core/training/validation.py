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
def held_out_errors(model: SystemModel, batch: Batch) -> dict[str, float]:
    """Give the error, that of face and hands alone, and compare the face's with another clip's sound.

    The plain loss falls long before a model listens; this gap is zero until it does, and then grows. Clips of
    the batch exchange their sounds; a system that hears nothing has none.

    Shapes:   returns held_out, the plain error; held_out_face and held_out_hands, the same where they are;
              audio_gap = (the face's error with a wrong sound - with the true one) / the true one
    """
    module = TrainingModule(model, ())
    sounds = {name: value.roll(1, dims=0) for name, value in batch.drive.items() if name == "audio"}
    wrong = replace(batch, drive={**batch.drive, **sounds})
    error = _error(module, batch)
    face, hands = (_where(batch, part, error) for part in ("face_mask", "hands_mask"))
    wrong_face = _where(batch, "face_mask", _error(module, wrong))
    return {
        "held_out": float(error.mean()),
        "held_out_face": float(face),
        "held_out_hands": float(hands),
        "audio_gap": float((wrong_face - face) / face),
    }


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


def _where(batch: Batch, name: str, error: Tensor) -> Tensor:
    mask = batch.targets[name]
    return (error * mask).sum() / mask.sum()


def _error(module: TrainingModule, batch: Batch) -> Tensor:
    answer = module.answer(batch)
    return (answer.predicted_NCHW.float() - answer.target_NCHW).pow(2).mean(dim=1, keepdim=True)


def _no_report(_done: int, _steps: int) -> None:
    pass
