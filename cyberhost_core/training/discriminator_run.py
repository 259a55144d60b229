"""Pretraining of the pose discriminator on prepared videos, through the one trainer.

store -> frames with their keypoints -> latents as a denoiser's estimates of them look -> L_pd
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as nnf
from torch.utils.data import Dataset

from ..config import Config
from ..controls.limb_heatmaps import POINT_CHANNELS
from ..data.store import PreparedVideo, PreparedVideos
from .loop import LoopConfig
from .pose_discriminator import PoseDiscriminator, PoseDiscriminatorConfig, save_pose_discriminator, truth
from .runs import train_logged
from .trainer import Learner, TensorBatch, Trainer

DISCRIMINATOR_LOOP = LoopConfig(
    steps=5000,
    learning_rate=2e-3,
    decay_fraction=0.5,
    betas=(0.9, 0.98),
    ema_decay=0.995,
    save_every=500,
    validate_every=500,
)
FOUND_CELLS = 2.0  # a point counts as found this near
_CLEAR = 0.5  # share of the frames that stay as they are


class FramesConfig(Config):
    """What a step learns from.

    Units:    most_noise, in standard deviations of the latents; most_blur_cells: sigma of the blur
    """

    videos: int = 8
    frames: int = 4
    most_noise: float = 0.6
    most_blur_cells: float = 1.2


@dataclass(frozen=True)
class FrameBatch(TensorBatch):
    """Hold frames.

    Shapes:   latents (N, C, h, w), truth (N, 59, h, w)
    """

    latents: Tensor
    truth: Tensor


class Videos(Protocol):
    """What is needed of a store."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> PreparedVideo: ...

    def drawn(self, rng: np.random.Generator, *, count: int) -> Iterator[PreparedVideo]: ...


class FrameMaker(Dataset[FrameBatch]):
    """Map a step number to its frames, half of them clear, half blurred and noised.

    Reads:    a denoiser's one-step estimate of x0 is the mean of what could be there (blurred) plus what it
              missed (noise); the paper does not say what it pretrained on
    """

    def __init__(self, videos: Videos, config: FramesConfig, *, seed: int, rank: int = 0) -> None:
        self.videos, self.config, self.seed, self.rank = videos, config, seed, rank

    def __getitem__(self, step: int) -> FrameBatch:
        rng = np.random.default_rng((self.seed, step, self.rank))
        parts = [self._frames(video, rng) for video in self.videos.drawn(rng, count=self.config.videos)]
        latents, maps = (torch.cat(column) for column in zip(*parts, strict=True))
        return FrameBatch(estimated(latents, self.config, rng), maps)

    def _frames(self, video: PreparedVideo, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        chosen = rng.integers(len(video), size=self.config.frames)
        return frames_of(video, chosen)


class DiscriminatorLearner(Learner[PoseDiscriminator]):
    """Compute L_pd of a batch."""

    def __init__(self, model: PoseDiscriminator) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: FrameBatch) -> dict[str, Tensor]:
        return {"heatmaps": self.model.loss(batch.latents, batch.truth)}


def train_pose_discriminator(
    store: Path,
    out: Path,
    *,
    loop: LoopConfig = DISCRIMINATOR_LOOP,
    frames: FramesConfig | None = None,
    network: PoseDiscriminatorConfig | None = None,
    held_out: Path | None = None,
    seed: int = 0,
    until: int | None = None,
    show: Callable[[int, dict[str, float]], None],
) -> Path:
    """Train, or go on with, a discriminator on a store; return the path of its file.

    Raises:   StoreError: no store, or a damaged one; CheckpointError: the run in OUT has other settings
    """
    videos = PreparedVideos(store)
    frames = frames or FramesConfig()
    network = network or PoseDiscriminatorConfig(latent_channels=videos[0].latents_FCHW.shape[1])
    torch.manual_seed(seed)
    trainer = Trainer(
        DiscriminatorLearner(PoseDiscriminator(network)),
        lambda rank: FrameMaker(videos, frames, seed=seed, rank=rank),
        loop,
        config=json.dumps(
            {
                "loop": loop.model_dump(),
                "frames": frames.model_dump(),
                "network": network.model_dump(),
                "seed": seed,
                "store": videos.index.model_dump(),
            }
        ),
        out=out,
    )
    shown = PreparedVideos(held_out) if held_out else None
    train_logged(
        trainer,
        until=until,
        show=show,
        validation=None if shown is None else lambda _log: lambda model, _step: measured(model, shown),
    )
    path = out / "pose_discriminator.safetensors"
    if trainer.accelerator.is_main_process:
        save_pose_discriminator(path, trainer.ema.model)
    return path


@torch.inference_mode()
def measured(model: PoseDiscriminator, videos: Videos, *, frames: int = 6) -> dict[str, float]:
    """Measure a discriminator on some frames of every video of a store, as they are.

    Units:    heatmaps: L_pd; empty: L_pd of saying that nothing is anywhere; found: share of seen points
              whose highest cell lies within 2 cells
    """
    errors, empty, near = [], [], []
    for number in range(len(videos)):
        video = videos[number]
        chosen = np.linspace(0, len(video) - 1, frames).round().astype(int)
        latents, maps = frames_of(video, chosen)
        errors.append(model.losses(latents, maps))
        empty.append(maps.square().mean(dim=(1, 2, 3)).sqrt())
        near.append(_found(model(latents)[:, :POINT_CHANNELS], maps[:, :POINT_CHANNELS]))
    return {
        "held_out_heatmaps": float(torch.cat(errors).mean()),
        "held_out_empty": float(torch.cat(empty).mean()),
        "held_out_found": float(torch.cat(near).float().mean()),
    }


def frames_of(video: PreparedVideo, chosen: np.ndarray) -> tuple[Tensor, Tensor]:
    """Take some frames: latents (N, C, h, w) and their true heatmaps (N, 59, h, w)."""
    latents = torch.from_numpy(video.latents_FCHW[chosen].astype(np.float32))
    return latents, truth(video.pose[chosen], height=latents.shape[-2], width=latents.shape[-1])


def estimated(latents_NCHW: Tensor, config: FramesConfig, rng: np.random.Generator) -> Tensor:
    """Make some latents look like a denoiser's estimates: blurred and noised, each as strongly as it may."""
    strength_N = np.where(rng.random(len(latents_NCHW)) < _CLEAR, 0.0, rng.random(len(latents_NCHW)))
    noise = torch.from_numpy(rng.standard_normal(latents_NCHW.shape, dtype=np.float32))
    scale = strength_N.astype(np.float32)[:, None, None, None] * config.most_noise
    spread = latents_NCHW.std()
    blurred = torch.stack(
        [
            _blurred(one, config.most_blur_cells * float(strength))
            for one, strength in zip(latents_NCHW, strength_N, strict=True)
        ]
    )
    return blurred + torch.from_numpy(scale) * spread * noise


def _blurred(latent_CHW: Tensor, sigma_cells: float) -> Tensor:
    if sigma_cells <= 0:
        return latent_CHW
    away = torch.arange(-3, 4, dtype=torch.float32)
    bell = torch.exp(-(away**2) / (2 * sigma_cells**2))
    bell = bell / bell.sum()
    x = nnf.pad(latent_CHW[:, None], (3, 3, 3, 3), mode="replicate")
    return nnf.conv2d(nnf.conv2d(x, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))[:, 0]


def _found(found_NKHW: Tensor, truth_NKHW: Tensor) -> Tensor:
    """Tell of every point that is there whether the highest cell is near its own: one flat run of bools."""
    width = truth_NKHW.shape[-1]
    ours, theirs = (maps.flatten(2).argmax(dim=-1) for maps in (found_NKHW, truth_NKHW))
    there = truth_NKHW.flatten(2).amax(dim=-1) > 0.5
    away = torch.hypot((ours % width - theirs % width).float(), (ours // width - theirs // width).float())
    return (away <= FOUND_CELLS)[there]
