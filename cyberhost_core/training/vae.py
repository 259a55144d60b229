"""Train the tiny autoencoder: pictures with keypoints in, weights out.

    picture -> encoder -> standardised by the batch -> + a little noise -> decoder -> weighted L1 of pixels
    and of edges

Standardising by the batch (and keeping the running mean and deviation) gives latents of unit variance without
a KL term; the noise makes neighbouring latents decode alike, which a diffusion model's small errors need.
Hands and mouth weigh more: they are few pixels and most of what is looked at.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as nnf

from ..backbone.vae import TinyVAE
from ..config import Config

Pictures = tuple[Tensor, Tensor]  # (N, 3, Y, X) in -1..1 and their weights (N, 1, Y, X)


class VAETrainingConfig(Config):
    """How long, how fast, how noisy; encoder_frozen tunes the decoder alone: stored latents stay valid."""

    steps: int = 4000
    learning_rate: float = 1.5e-3
    warmup_steps: int = 100
    noise: float = 0.12
    edge_weight: float = 0.5
    ema_decay: float = 0.995
    statistics_rate: float = 0.02
    encoder_frozen: bool = False


class VAETrainer:
    """Train step by step; `average` holds the averaged weights, which are the ones to use."""

    def __init__(self, vae: TinyVAE, config: VAETrainingConfig) -> None:
        self.vae, self.config = vae, config
        self.average = copy.deepcopy(vae).eval().requires_grad_(False)
        vae.encoder.requires_grad_(not config.encoder_frozen)
        trained = [p for p in vae.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4
        )

    def step(self, number: int, pictures: Pictures) -> float:
        """Learn from one batch; return the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = _rate(self.config, number)
        x, weight = pictures
        with torch.autocast(x.device.type, torch.bfloat16):
            latents = self._latents(x)
            sigma = torch.rand(len(latents), 1, 1, 1, device=x.device) * self.config.noise
            decoded = self.vae.decoder(latents + sigma * torch.randn_like(latents))
        loss = picture_loss(decoded.float(), x, weight, edge_weight=self.config.edge_weight)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.vae.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._follow(number)
        return float(loss.detach())

    def _latents(self, x: Tensor) -> Tensor:
        if self.config.encoder_frozen:
            with torch.no_grad():
                return self.vae.encode(x)
        raw = self.vae.encoder(x).float()
        mean, std = raw.mean(dim=(0, 2, 3)), raw.std(dim=(0, 2, 3)) + 1e-4
        self.vae.latent_mean.lerp_(mean.detach(), self.config.statistics_rate)
        self.vae.latent_std.lerp_(std.detach(), self.config.statistics_rate)
        return (raw - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)

    @torch.no_grad()
    def _follow(self, number: int) -> None:
        rate = 1 - min(self.config.ema_decay, (1 + number) / (10 + number))
        averages, values = self.average.state_dict(), self.vae.state_dict()
        for name, kept in averages.items():
            kept.lerp_(values[name], rate)


def train_vae(
    vae: TinyVAE,
    batches: Callable[[int], Pictures],
    config: VAETrainingConfig,
    *,
    report: Callable[[int, float], None],
) -> TinyVAE:
    """Train from a function of the step number that gives batches; return the averaged model."""
    trainer = VAETrainer(vae, config)
    for number in range(config.steps):
        report(number, trainer.step(number, batches(number)))
    return trainer.average


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


def _rate(config: VAETrainingConfig, number: int) -> float:
    """Warm up, then fall along a cosine to a fiftieth."""
    warm = min(1.0, (number + 1) / config.warmup_steps)
    progress = torch.tensor(torch.pi * min(1.0, number / config.steps)).cos().item()
    return config.learning_rate * warm * (0.02 + 0.98 * (1 + progress) / 2)
