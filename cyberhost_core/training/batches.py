"""Make training batches from prepared videos: a pure function of (seed, step, rank), so that runs resume.

videos of one size, as often as they are many
video -> reference frame, clip of F frames, M frames before it
      -> inputs of each conditioner, targets of each loss, drawn here -> Batch
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, SerializeAsAny
from torch import Tensor
from torch.utils.data import Dataset

from ..conditioners.conditioner import Settings, TrainingSettings
from ..conditioners.values import REFERENCE, SOUND, Inputs
from ..config import Config, Count, Positive, Share
from ..data.buckets import Size
from ..data.clip import Clip
from ..data.store import PreparedVideo, PreparedVideos, StoreError, require_sizes
from ..diffusion.schedule import TRAIN_STEPS
from ..systems.spec import SystemSpec
from .batch import Batch
from .losses.loss import Loss


class Drop(Config):
    """In a share of the clips, leave out some of what guidance passes go without."""

    groups: tuple[Literal["reference", "sound"], ...]
    share: Share


class SamplingConfig(Config):
    """How clips are drawn and what is left out.

    settings: how conditioners' inputs vary, where not as usual. drop: as guidance asks for it: a clip without
    the reference has no sound either. drop_past: share of the batches that open a video. past_noise: the
    largest sigma of noise on the frames before, which at inference are the model's own work.
    """

    clips: Count = 1
    settings: tuple[SerializeAsAny[TrainingSettings], ...] = ()
    drop: tuple[Drop, ...] = (Drop(groups=(REFERENCE, SOUND), share=0.05), Drop(groups=(SOUND,), share=0.1))
    drop_past: Share = 0.25
    past_noise: Annotated[float, Field(ge=0)] = 0.0
    timestep_power: Positive = 1.0  # t = 1000 u^power, u uniform; below 1 high noise comes more often


class BatchMaker(Dataset[Batch]):
    """Map a step number to its batch, whose clips have one size.

    A size is drawn as often as it has videos, anew for every step and rank, so that several devices train on
    several sizes at once (CyberHost appendix E). frames = 1 makes stage 1's pairs (a reference and one other
    frame); then there are no frames before.
    losses: whose targets are drawn

    Raises:   StoreError: sizes that the system does not work at, or videos shorter than a clip
    """

    def __init__(
        self,
        videos: PreparedVideos,
        spec: SystemSpec,
        config: SamplingConfig,
        *,
        frames: int,
        seed: int,
        rank: int = 0,
        losses: Sequence[Loss] = (),
    ) -> None:
        self.videos, self.spec, self.config, self.frames, self.losses = videos, spec, config, frames, losses
        self.past_frames = spec.past_frames if frames > 1 else 0
        self.seed, self.rank = seed, rank
        if not spec.any_size:
            require_sizes(videos.index, [Size(spec.height, spec.width)], system=spec.name)
        _require_length(videos[0], frames + self.past_frames)

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, step, self.rank))
        past_frames = 0 if rng.random() < self.config.drop_past else self.past_frames
        shared_chance = rng.random()
        clips = [
            self._clip(video, rng, past_frames=past_frames, shared_chance=shared_chance)
            for video in self.videos.drawn(rng, count=self.config.clips)
        ]
        return self._collate(clips, rng, past_frames=past_frames)

    def _clip(
        self, video: PreparedVideo, rng: np.random.Generator, *, past_frames: int, shared_chance: float
    ) -> Clip:
        _require_length(video, self.frames + past_frames)
        choice = int(rng.integers(len(video.reference_R)))
        start = int(rng.integers(past_frames, len(video) - self.frames + 1))
        return Clip(
            video=video,
            span=slice(start, start + self.frames),
            choice=choice,
            shared_chance=shared_chance,
        )

    def _collate(self, clips: Sequence[Clip], rng: np.random.Generator, *, past_frames: int) -> Batch:
        each = [torch.from_numpy(clip.video.latents_FCHW.astype(np.float32)) for clip in clips]
        latents = torch.stack([whole[clip.span] for whole, clip in zip(each, clips, strict=True)])
        past = [
            self._noised(whole[clip.span.start - past_frames : clip.span.start], rng)
            for whole, clip in zip(each, clips, strict=True)
        ]
        portrait = {
            "latents": torch.stack([whole[c.reference_frame] for whole, c in zip(each, clips, strict=True)])
        }
        told, drive = inputs_of(self.spec, clips, rng, settings=self.config.settings)
        targets: dict[str, Tensor] = {}
        for loss in self.losses:
            made = [loss.targets(clip, self.spec) for clip in clips]
            targets |= {name: torch.cat([one[name] for one in made]) for name in made[0]}
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
        return Batch(
            latents=latents,
            noise=torch.randn(latents.shape, generator=generator),
            past=torch.stack(past),
            portrait={**portrait, **told},
            drive=drive,
            targets=targets,
            timestep=self._timesteps(len(clips), generator),
            chance=torch.rand(len(clips), generator=generator),
            missing=tuple(self._missing(rng) for _ in clips),
        )

    def _missing(self, rng: np.random.Generator) -> frozenset[str]:
        dropped = [drop.groups for drop in self.config.drop if rng.random() < drop.share]
        return frozenset(group for groups in dropped for group in groups)

    def _timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(count, generator=generator) ** self.config.timestep_power
        return (drawn * TRAIN_STEPS).long().clamp(max=TRAIN_STEPS - 1)

    def _noised(self, past: Tensor, rng: np.random.Generator) -> Tensor:
        sigma = rng.uniform(0, self.config.past_noise)
        noise = torch.from_numpy(rng.standard_normal(past.shape, dtype=np.float32))
        return past + sigma * noise


def inputs_of(
    spec: SystemSpec, clips: Sequence[Clip], rng: np.random.Generator, *, settings: Settings = ()
) -> tuple[Inputs, Inputs]:
    """Make what the conditioners read of clips of one size: of the portraits, and of every frame.

    Shapes:   name -> (B, ...); name -> (B, F or 1, ...)
    """
    portrait: dict[str, Tensor] = {}
    drive: dict[str, Tensor] = {}
    for conditioner in spec.conditioners:
        portrait |= _stacked([conditioner.portrait_of(clip, unet=spec.unet) for clip in clips])
        drive |= _stacked([conditioner.drive_of(clip, rng, settings) for clip in clips])
    return portrait, drive


def _stacked(made: Sequence[Inputs]) -> dict[str, Tensor]:
    return {name: torch.stack([one[name] for one in made]) for name in made[0]}


def _require_length(video: PreparedVideo, frames: int) -> None:
    if len(video) < frames:
        raise StoreError(
            f"A prepared video has {len(video)} frames and a clip with its motion frames needs {frames}; "
            "prepare longer videos."
        )
