"""Train the tiny autoencoder: pictures with keypoints in, weights out.

    picture -> encoder -> standardised by the batch -> + a little noise -> decoder -> weighted L1 of pixels
                              |                                                       and of edges
                              +-> running mean and deviation

Standardising by the batch (and keeping the running mean and deviation) gives latents of unit variance without
a KL term; the noise makes neighbouring latents decode alike, which a diffusion model's small errors need.
Hands, eyes and mouth weigh more: they are few pixels and most of what is looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as nnf
from torch.utils.data import Dataset

from ..backbone.vae import TinyVAE
from ..checkpoints.parts import save_vae
from ..config import Config
from .loop import LoopConfig
from .part_runs import arrays_fingerprint, train_part
from .trainer import Learner, Report, TensorBatch

Draw = Callable[[int], tuple[Tensor, Tensor]]  # number -> (N, 3, Y, X) in -1..1, weights (N, 1, Y, X)

VAE_LOOP = LoopConfig(
    steps=3500,
    learning_rate=1.5e-3,
    decay="cosine",
    decay_fraction=1.0,
    decay_to=0.02,
    weight_decay=1e-4,
    betas=(0.9, 0.98),
    ema_decay=0.995,
    average_buffers=True,  # the statistics that standardise latents belong to the averaged encoder
    save_every=100,
)
DECODER_LOOP = VAE_LOOP.derive(learning_rate=5e-4)  # a decoder that can already draw
_CELL_PX = 8
_NOISE = 0x401  # keeps the noise's random numbers apart from those that drew the pictures


class VAELesson(Config):
    """What is asked of the autoencoder.

    noise: the largest deviation of noise on latents; encoder_frozen tunes the decoder alone, so that stored
    latents stay valid
    """

    noise: float = 0.12
    edge_weight: float = 0.5
    statistics_rate: float = 0.02
    encoder_frozen: bool = False


@dataclass(frozen=True)
class PictureBatch(TensorBatch):
    """Hold pictures and the noise that their latents get.

    Shapes:   pictures (N, 3, Y, X) in -1..1; weights (N, 1, Y, X); noise (N, C, Y/8, X/8), each picture's of
              its own strength
    """

    pictures: Tensor
    weights: Tensor
    noise: Tensor


class PictureBatches(Dataset[PictureBatch]):
    """Map a step number to drawn pictures and noise; every rank draws from a stretch of numbers of its own.

    stretch: how many batches a rank draws in all
    """

    def __init__(
        self, draw: Draw, *, channels: int, most_noise: float, seed: int, stretch: int, rank: int = 0
    ) -> None:
        self.draw, self.channels, self.most_noise, self.seed = draw, channels, most_noise, seed
        self.first = rank * stretch

    def __getitem__(self, step: int) -> PictureBatch:
        number = self.first + step
        pictures, weights = self.draw(number)
        rng = np.random.default_rng((self.seed, number, _NOISE))
        count, _, height, width = pictures.shape
        shape = (count, self.channels, height // _CELL_PX, width // _CELL_PX)
        strength = self.most_noise * rng.random((count, 1, 1, 1), dtype=np.float32)
        noise = strength * rng.standard_normal(shape, dtype=np.float32)
        return PictureBatch(pictures, weights, torch.from_numpy(noise))


class VAELearner(Learner[TinyVAE]):
    """Compute the loss of a batch, and follow the latents' statistics meanwhile."""

    def __init__(self, model: TinyVAE, lesson: VAELesson) -> None:
        super().__init__()
        self.model, self.lesson = model, lesson
        model.requires_grad_(True)
        model.encoder.requires_grad_(not lesson.encoder_frozen)

    def forward(self, batch: PictureBatch) -> dict[str, Tensor]:
        decoded = self.model.decoder(self._latents(batch.pictures) + batch.noise)
        loss = picture_loss(
            decoded.float(), batch.pictures, batch.weights, edge_weight=self.lesson.edge_weight
        )
        return {"picture": loss}

    def _latents(self, x: Tensor) -> Tensor:
        if self.lesson.encoder_frozen:
            with torch.no_grad():
                return self.model.encode(x)
        raw = self.model.encoder(x).float()
        mean, std = raw.mean(dim=(0, 2, 3)), raw.std(dim=(0, 2, 3)) + 1e-4
        self.model.latent_mean.lerp_(mean.detach(), self.lesson.statistics_rate)
        self.model.latent_std.lerp_(std.detach(), self.lesson.statistics_rate)
        return (raw - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)


def train_vae(
    vae: TinyVAE,
    draw: Draw,
    out: Path,
    *,
    data: Any,
    loop: LoopConfig = VAE_LOOP,
    lesson: VAELesson | None = None,
    seed: int = 0,
    until: int | None = None,
    show: Report | None = None,
) -> Path | None:
    """Train, or go on with, an autoencoder, from the weights that it has; write the average.

    data: JSON that tells what is drawn from apart from other data. Returns OUT, or None where `until` came
    before the loop's end.
    """
    lesson = lesson or VAELesson()
    return train_part(
        VAELearner(vae, lesson),
        lambda rank: PictureBatches(
            draw,
            channels=vae.config.latent_channels,
            most_noise=lesson.noise,
            seed=seed,
            stretch=loop.steps * loop.accumulate,
            rank=rank,
        ),
        loop,
        settings={
            "lesson": lesson.model_dump(),
            "vae": vae.config.model_dump(),
            "first_weights": arrays_fingerprint(value.numpy() for value in vae.state_dict().values()),
            "seed": seed,
            "data": data,
        },
        out=out,
        write=lambda average: save_vae(out, average),
        until=until,
        show=show,
    )


def picture_loss(decoded: Tensor, x: Tensor, weight: Tensor, *, edge_weight: float) -> Tensor:
    """Weighted L1 of pixels, plus the same of horizontal and vertical differences, to keep lines sharp."""
    pixels = (weight * (decoded - x).abs()).mean()
    edges = sum(
        (
            nnf.avg_pool2d(weight, kernel, stride=1) * (_difference(decoded, dim) - _difference(x, dim)).abs()
        ).mean()
        for dim, kernel in ((2, (2, 1)), (3, (1, 2)))
    )
    return pixels + edge_weight * edges


def _difference(x: Tensor, dim: int) -> Tensor:
    return x.diff(dim=dim)
