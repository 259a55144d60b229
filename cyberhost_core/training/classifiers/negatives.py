"""Negative samples: a model's own clips, for the sound and a reference frame of prepared videos.

video -> clip, reference frame, drawn here -> the model's conditions -> sampled as a user would -> latents

Source: PAHA section 4.1.3, figure 5, appendix B.3 (30 steps of DDIM)
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...config import Config, Count
from ...data.clip import Clip
from ...data.generated import (
    GeneratedClip,
    GeneratedIndex,
    clip_path,
    write_clip,
    write_generated_index,
)
from ...data.store import PreparedVideos, StoreError
from ...sampling.denoise import SamplingOptions
from ...sampling.track import Track
from ...sampling.video import sample_video
from ...systems.model import SystemModel
from ..batches import inputs_of

Say = Callable[[int, int], None]  # (clips done, clips in all)


class NegativesConfig(Config):
    """How many clips, how long, and which of a video's candidates is the reference: any, or always the first.

    Any of them is the paper's first augmentation.
    """

    clips: Count
    frames: Count
    references: Literal["any", "first"] = "any"


def prepare_generated(  # noqa: PLR0917 - read in the order in which they are used
    model: SystemModel,
    videos: PreparedVideos,
    out: Path,
    config: NegativesConfig,
    options: SamplingOptions,
    *,
    say: Say,
) -> None:
    """Let a model make clips; those that are there already are kept, so that a stopped run goes on.

    Raises:   StoreError: videos shorter than a clip
    """
    chosen = [_drawn(videos, config, seed=options.seed, number=number) for number in range(config.clips)]
    for number, (_, clip) in enumerate(chosen):
        if not clip_path(out, number).is_file():
            sampled = _sampled(model, clip(), replace(options, seed=options.seed + number))
            write_clip(out, number, sampled.cpu().numpy())
        say(number + 1, config.clips)
    index = GeneratedIndex(
        system=model.spec.name,
        frames=config.frames,
        videos=len(videos),
        clips=tuple(entry for entry, _ in chosen),
    )
    write_generated_index(out, index)


def clip_of(videos: PreparedVideos, entry: GeneratedClip, span: range) -> Clip:
    """Cut the real clip that a generated one, or a part of it, was made for; span: of its frames."""
    first = entry.start + span.start
    return Clip(video=videos[entry.video], span=slice(first, first + len(span)), choice=entry.choice)


def _drawn(
    videos: PreparedVideos, config: NegativesConfig, *, seed: int, number: int
) -> tuple[GeneratedClip, Callable[[], Clip]]:
    rng = np.random.default_rng((seed, number))
    which = int(rng.integers(len(videos)))
    video = videos[which]
    if len(video) < config.frames:
        raise StoreError(
            f"A prepared video has {len(video)} frames, but clips of {config.frames} were asked for; ask for "
            "shorter ones, or prepare longer videos."
        )
    candidates = len(video.reference_R) if config.references == "any" else 1
    entry = GeneratedClip(
        video=which,
        start=int(rng.integers(len(video) - config.frames + 1)),
        choice=int(rng.integers(candidates)),
    )
    return entry, lambda: clip_of(videos, entry, range(config.frames))


@torch.no_grad()
def _sampled(model: SystemModel, clip: Clip, options: SamplingOptions) -> Tensor:
    rng = np.random.default_rng(options.seed)
    told, drive = inputs_of(model.spec, [clip], rng)
    latents = torch.from_numpy(clip.video.latents_FCHW[clip.reference_frame].astype(np.float32))[None]
    reference = model.read({"latents": latents, **told})
    frames = clip.span.stop - clip.span.start
    track = Track(frames=frames, values={name: value[0] for name, value in drive.items()})
    return torch.cat(list(sample_video(model, reference, track, options, on_step=lambda _done, _steps: None)))
