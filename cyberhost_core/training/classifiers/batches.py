"""Batches of classifiers: real clips, and those that the model made for the same sound and reference.

generated clip -> part of it, of a length drawn here -> the real clip beside it -> windows as the system has
both: the same noise level; whether the part is shown alone is drawn here

A pure function of (seed, step, rank), so that runs resume.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...conditioners.values import Drive, Inputs
from ...config import Config, Count, Share
from ...controls.regions import face_area
from ...data.clip import Clip
from ...data.generated import GeneratedClips
from ...data.store import PreparedVideos, StoreError
from ...diffusion.schedule import TRAIN_STEPS
from ...systems.spec import SystemSpec
from ..batch import moved
from ..batches import inputs_of
from .negatives import clip_of


class ClassifierSampling(Config):
    """How pairs are drawn.

    pairs: real and generated clips per step, each as many; lengths: in frames, one drawn per step, the
    paper's second augmentation; masked: share of the clips of which a classifier sees its part alone
    """

    pairs: Count = 8
    lengths: tuple[Count, ...] = (30, 60, 90, 120)
    masked: Share = 0.8


@dataclass(frozen=True, kw_only=True)
class ClassifierBatch:
    """Hold N clips of W windows of F frames.

    Shapes:   latents, noise (N, W * F, C, h, w); portrait: name -> (N * W, ...); drive: name -> (N * W, F or
              1, ...); face (N, 1, 1, h, w) where the face is; timestep, label, chance (N,)
    """

    latents: Tensor
    noise: Tensor
    portrait: Inputs
    drive: Inputs
    face: Tensor
    timestep: Tensor
    label: Tensor
    chance: Tensor
    windows: int

    def __len__(self) -> int:
        return len(self.latents)

    def driven(self) -> Drive:
        """Everything that drives the windows, read where the latents are."""
        clips = len(self) * self.windows
        return Drive(
            frames=self.latents.shape[1] // self.windows,
            clips=clips,
            values=self.drive,
            device=self.latents.device,
            dtype=self.latents.dtype,
        )

    def to(self, device: torch.device) -> "ClassifierBatch":
        """Move all tensors."""
        return moved(self, device)


@dataclass(frozen=True, eq=False)
class Sample:
    """A clip, cut into windows; heard: the same windows of the moment whose sound it is given.

    Shapes:   latents_LCHW of all its frames
    """

    latents_LCHW: np.ndarray
    seen: Sequence[Clip]
    heard: Sequence[Clip]
    label: float


class PairMaker(Dataset[ClassifierBatch]):
    """Map a step number to its pairs.

    Raises:   StoreError: the clips were made for other videos, or are shorter than what is to be drawn
    """

    def __init__(  # noqa: PLR0917 - read in the order in which they are made
        self,
        videos: PreparedVideos,
        generated: GeneratedClips,
        spec: SystemSpec,
        config: ClassifierSampling,
        *,
        seed: int,
        rank: int = 0,
    ) -> None:
        self.videos, self.generated, self.index = videos, generated, generated.index
        self.spec, self.config, self.seed, self.rank = spec, config, seed, rank
        if self.index.videos != len(videos):
            raise StoreError(
                f"The clips in {generated.folder} were made for a store of {self.index.videos} videos, but "
                f"{videos.folder} has {len(videos)}; give the store that they were made for."
            )
        if max(config.lengths) > self.index.frames:
            raise StoreError(
                f"Clips of {max(config.lengths)} frames are to be drawn, but those in {generated.folder} "
                f"have {self.index.frames}; make longer ones, or draw shorter ones."
            )

    def __getitem__(self, step: int) -> ClassifierBatch:
        rng = np.random.default_rng((self.seed, step, self.rank))
        length = int(rng.choice(self.config.lengths))
        windows = cut_evenly(length, at_most=self.spec.long_video.frames)
        samples: list[Sample] = []
        for number in rng.integers(len(self.index.clips), size=self.config.pairs):
            start = int(rng.integers(self.index.frames - length + 1))
            samples += self._pair(int(number), [range(start + w.start, start + w.stop) for w in windows])
        return collated(self.spec, samples, rng)

    def _pair(self, number: int, spans: list[range]) -> list[Sample]:
        entry = self.index.clips[number]
        clips = [clip_of(self.videos, entry, span) for span in spans]
        whole = slice(clips[0].span.start, clips[-1].span.stop)
        real = clips[0].video.latents_FCHW[whole]
        made = self.generated.latents(number)[spans[0].start : spans[-1].stop]
        return [Sample(real, clips, clips, 1.0), Sample(made, clips, clips, 0.0)]


def cut_evenly(length: int, *, at_most: int) -> list[range]:
    """Cut frames into as few windows of one size as there can be.

    Raises:   StoreError: there is no such size
    """
    count = next(count for count in range(-(-length // at_most), length + 1) if length % count == 0)
    size = length // count
    return [range(start, start + size) for start in range(0, length, size)]


def shifted(clip: Clip, frames: int) -> Clip:
    """The same clip some frames later; its video must have them."""
    return replace(clip, span=slice(clip.span.start + frames, clip.span.stop + frames))


def collated(spec: SystemSpec, samples: Sequence[Sample], rng: np.random.Generator) -> ClassifierBatch:
    """Stack samples of one length; both of a pair, which follow each other, have one noise level."""
    seen = [clip for sample in samples for clip in sample.seen]
    heard = [clip for sample in samples for clip in sample.heard]
    portrait, _ = inputs_of(spec, seen, rng)
    _, drive = inputs_of(spec, heard, rng)
    latents = np.stack([sample.latents_LCHW for sample in samples]).astype(np.float32)
    height, width = latents.shape[-2:]
    references = [clip.video.latents_FCHW[clip.reference_frame].astype(np.float32) for clip in seen]
    firsts = [sample.seen[0] for sample in samples]
    faces = [face_area(first.reference_pose, height=height, width=width) for first in firsts]
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    pairs = len(samples) // 2
    return ClassifierBatch(
        latents=torch.from_numpy(latents),
        noise=torch.randn(latents.shape, generator=generator),
        portrait={"latents": torch.from_numpy(np.stack(references)), **portrait},
        drive=drive,
        face=torch.stack(faces)[:, None, None],
        timestep=torch.randint(TRAIN_STEPS, (pairs,), generator=generator).repeat_interleave(2),
        label=torch.tensor([sample.label for sample in samples]),
        chance=torch.rand(len(samples), generator=generator),
        windows=len(samples[0].seen),
    )
