"""How often are classifiers right? Real pairs against shifted sounds and generated clips, by noise level.

held-out pairs, both shown at the same noise --classifier of a part, part alone--> s of each
right: share of clips on the right side of one half;  ordered: share of pairs whose real clip has the higher s
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ...backbone.part_classifier import PartClassifiers
from ...data.generated import GeneratedClips
from ...data.store import PreparedVideos
from ...diffusion.schedule import NoiseSchedule
from ...guidance.step import PARTS
from ...systems.model import SystemModel
from .batches import ClassifierBatch, Sample, collated, cut_evenly, shifted
from .learner import conditions_of, looked
from .negatives import clip_of

TIMESTEPS = (100, 300, 500, 700, 900)
SHIFTS = (2, 5, 10)  # frames


@dataclass(frozen=True)
class Accuracy:
    """Of one part, against one kind of wrong clips."""

    part: str
    against: str
    timestep: int
    right: float
    ordered: float


def classifier_accuracy(  # noqa: PLR0917 - as training takes them
    classifiers: PartClassifiers,
    model: SystemModel,
    videos: PreparedVideos,
    generated: GeneratedClips,
    *,
    frames: int,
    clips: int,
    timesteps: Sequence[int] = TIMESTEPS,
    seed: int = 0,
) -> list[Accuracy]:
    """Ask both classifiers about the first held-out clips, frames long each.

    A shifted pair is the real clip with the sound of so many frames later, or earlier where there are none.
    """
    found = []
    for against, pairs in _kinds(videos, generated, model, frames=frames, clips=clips).items():
        rng = np.random.default_rng(seed)
        batches = [collated(model.spec, pair, rng) for pair in pairs]
        for timestep in timesteps:
            found += _measured(classifiers, model, batches, against=against, timestep=timestep)
    return found


def _kinds(
    videos: PreparedVideos, generated: GeneratedClips, model: SystemModel, *, frames: int, clips: int
) -> dict[str, list[list[Sample]]]:
    index = generated.index
    windows = cut_evenly(frames, at_most=model.spec.long_video.frames)
    kinds: dict[str, list[list[Sample]]] = {"generated": []} | {f"shifted by {by}": [] for by in SHIFTS}
    for number, entry in enumerate(index.clips[:clips]):
        cut = [clip_of(videos, entry, span) for span in windows]
        whole, video = slice(cut[0].span.start, cut[-1].span.stop), cut[0].video
        real = Sample(video.latents_FCHW[whole], cut, cut, 1.0)
        kinds["generated"].append([real, Sample(generated.latents(number)[:frames], cut, cut, 0.0)])
        for by in SHIFTS:
            move = by if whole.stop + by <= len(video) else -by
            if whole.start + move >= 0:
                heard = [shifted(clip, move) for clip in cut]
                kinds[f"shifted by {by}"].append([real, Sample(real.latents_LCHW, cut, heard, 0.0)])
    return kinds


@torch.inference_mode()
def _measured(
    classifiers: PartClassifiers,
    model: SystemModel,
    batches: Sequence[ClassifierBatch],
    *,
    against: str,
    timestep: int,
) -> list[Accuracy]:
    schedule = NoiseSchedule(model.spec.schedule)
    logits: dict[str, list[tuple[float, float]]] = {part: [] for part in PARTS}
    for batch in batches:
        level = torch.full_like(batch.timestep, timestep)
        both = torch.cat([batch.noise[:1], batch.noise[:1]])  # the same noise on both
        noised = schedule.add_noise(batch.latents, both, level)
        told = conditions_of(model, batch)
        at = ClassifierBatch(**{**vars(batch), "timestep": level})
        for part in PARTS:
            classifier, alone = classifiers.of(part), torch.ones(2, dtype=torch.bool)
            seen = looked(classifier, part, noised, at, told=told, denoiser=model.denoiser, alone=alone)
            real, wrong = classifier.judge(seen).tolist()
            logits[part].append((real, wrong))
    return [
        Accuracy(
            part=part,
            against=against,
            timestep=timestep,
            right=float(np.mean([(real > 0) + (wrong < 0) for real, wrong in pairs]) / 2),
            ordered=float(np.mean([real > wrong for real, wrong in pairs])),
        )
        for part, pairs in logits.items()
    ]
