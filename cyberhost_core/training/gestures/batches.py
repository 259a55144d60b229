"""Make batches of hand motion with its sound: a pure function of (seed, step, rank), so that runs resume.

clip, at times with a hand hidden -> a span of it, at its beginning or with the frames before it -> written in
the model's form, standardized -> padded to the span's length -> GestureBatch
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...config import Config
from ...data.gesture_store import GestureClip, GestureClips
from ...diffusion.schedule import TRAIN_STEPS
from ...errors import ConfigError
from ...gesture.model import GestureModel, wrist_amplitude
from ...hands.parameters import HandParameters
from ...hands.skeleton import SIDES


class GestureSampling(Config):
    """How spans are drawn and what is not told.

    from_start: share of batches whose spans begin where their clips do, without frames before. offset_still:
    share of spans that are told the body's place of one frame, as a portrait tells it, not of every frame.
    before_noise: the largest deviation of noise on the frames before, which in sampling are the model's own.
    hide_hand: share of spans whose clip shows only one of its two hands, either as often, so that one hand
    alone is learnt also where every clip shows both.
    """

    spans: int = 12
    from_start: float = 0.3
    drop_audio: float = 0.1
    drop_amplitude: float = 0.4
    drop_offset: float = 0.3
    offset_still: float = 0.7
    before_noise: float = 0.1
    hide_hand: float = 0.1


@dataclass(frozen=True, kw_only=True)
class GestureBatch:
    """Hold one step's input.

    Shapes:   motion, noise (B, F, vector) standardized; before (B, P, vector), P 0 or frames_before; audio
              (B, F, D); mask (B, F, 2): 1 where a hand is there, 0 where it is not or the span is padded;
              known (B, F, vector), before_known (B, P, vector): the same for each number, bool, those of
              neither hand known wherever the span is not padded; style (B,); amplitude (B, 2) of the span,
              NaN: not told; offset (B, F, 8); timestep (B,)
    """

    motion: Tensor
    noise: Tensor
    before: Tensor
    audio: Tensor
    mask: Tensor
    known: Tensor
    before_known: Tensor
    style: Tensor
    amplitude: Tensor
    offset: Tensor
    timestep: Tensor

    def to(self, device: torch.device) -> "GestureBatch":
        """Move all tensors."""
        return replace(self, **{item.name: getattr(self, item.name).to(device) for item in fields(self)})


class GestureBatchMaker(Dataset[GestureBatch]):
    """Map a step number to its batch."""

    def __init__(
        self, clips: GestureClips, model: GestureModel, sampling: GestureSampling, *, seed: int, rank: int = 0
    ) -> None:
        self.clips, self.model, self.sampling = clips, model, sampling
        self.seed, self.rank = seed, rank

    def __getitem__(self, step: int) -> GestureBatch:
        rng = np.random.default_rng((self.seed, step, self.rank))
        transformer = self.model.config.transformer
        before = 0 if rng.random() < self.sampling.from_start else transformer.frames_before
        chosen = rng.integers(len(self.clips), size=self.sampling.spans)
        spans = [self._span(self.clips[int(number)], rng, before=before) for number in chosen]
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
        stacked = {name: torch.stack([span[name] for span in spans]) for name in spans[0]}
        motion = stacked["motion"]
        sigma = self.sampling.before_noise * torch.rand(len(motion), 1, 1, generator=generator)
        noise = torch.randn(stacked["before"].shape, generator=generator)
        stacked["before"] = stacked["before"] + sigma * noise * stacked["before_known"]
        return GestureBatch(
            noise=torch.randn(motion.shape, generator=generator),
            timestep=torch.randint(TRAIN_STEPS, (len(motion),), generator=generator),
            **stacked,
        )

    def _span(self, clip: GestureClip, rng: np.random.Generator, *, before: int) -> dict[str, Tensor]:
        frames = self.model.config.transformer.frames
        start = 0 if not before else int(rng.integers(before, max(before, len(clip) - frames) + 1))
        start = min(start, len(clip) - 1)
        motion = self._partly_hidden(clip.parameters, rng)
        shown = motion[start : start + frames]
        mask = torch.from_numpy(motion.valid_FH)
        known = self.model.numbers_of(mask)
        # Written as a whole and then cut: a part alone could choose other signs for its quaternions.
        written_FD = self.model.standardized(self.model.form.write(motion)) * known
        lead = slice(max(0, start - before), start)
        sampling = self.sampling
        told = rng.random(2) >= sampling.drop_amplitude
        heard = torch.from_numpy(clip.audio_FD[start : start + frames].astype(np.float32))
        if rng.random() < sampling.drop_audio:
            heard = torch.zeros_like(heard)
        return {
            "motion": _padded(written_FD[start : start + frames], frames),
            "before": _padded(written_FD[lead].flip(0), before).flip(0),
            "audio": _padded(heard, frames),
            "mask": _padded(mask[start : start + frames].float(), frames),
            "known": _padded(known[start : start + frames], frames),
            "before_known": _padded(known[lead].flip(0), before).flip(0),
            "style": torch.tensor(self._style(clip.style)),
            "amplitude": torch.from_numpy(np.where(told, wrist_amplitude(shown), np.nan)).float(),
            "offset": _padded(self._offset(shown.offset_FD, rng, frames=len(shown)), frames),
        }

    def _partly_hidden(self, motion: HandParameters, rng: np.random.Generator) -> HandParameters:
        if not rng.random() < self.sampling.hide_hand:
            return motion
        kept_H = np.arange(len(SIDES)) == rng.integers(len(SIDES))
        return replace(motion, valid_FH=motion.valid_FH & kept_H)

    def _offset(self, offset_FD: np.ndarray, rng: np.random.Generator, *, frames: int) -> Tensor:
        told = np.broadcast_to(offset_FD, (frames, offset_FD.shape[1])).astype(np.float32)
        if rng.random() < self.sampling.drop_offset:
            return torch.zeros(told.shape)
        if rng.random() < self.sampling.offset_still:
            told = np.tile(told[int(rng.integers(frames))], (frames, 1))
        return torch.from_numpy(np.array(told))

    def _style(self, name: str) -> int:
        styles = self.model.config.transformer.styles
        if name not in styles:
            raise ConfigError(
                f"A gesture clip has the style '{name}', but the model knows {', '.join(styles)}; "
                "change the clip's style, or train a model that knows it."
            )
        return styles.index(name)


def collect_statistics(clips: GestureClips, model: GestureModel, *, spans: int = 400) -> None:
    """Set a new model's statistics from clips spread over the whole store: each number's, where it is known.

    Raises:   ConfigError: no clip shows a hand; PoseError: see MotionForm.write
    """
    total_D = np.zeros(model.config.transformer.vector)
    squares_D, frames_D, amplitudes = np.zeros_like(total_D), np.zeros_like(total_D), []
    for number in np.linspace(0, len(clips) - 1, min(spans, len(clips))).astype(int):
        parameters = clips[int(number)].parameters
        vectors_FD = model.form.write(parameters).astype(np.float64)
        known_FD = model.numbers_of(torch.from_numpy(parameters.valid_FH)).numpy() & np.isfinite(vectors_FD)
        vectors_FD = np.where(known_FD, vectors_FD, 0.0)
        total_D, squares_D = total_D + vectors_FD.sum(axis=0), squares_D + (vectors_FD**2).sum(axis=0)
        frames_D += known_FD.sum(axis=0)
        amplitudes.append(wrist_amplitude(parameters[: model.config.transformer.frames]))
    if np.isnan(amplitudes).all():
        raise ConfigError(
            "The gesture clips show a hand in no frame, so that nothing can be measured of their motion; "
            "prepare clips that show hands."
        )
    frames_D = np.maximum(frames_D, 1)
    mean_D = total_D / frames_D
    model.set_statistics(
        mean_D=mean_D,
        deviation_D=np.sqrt(np.maximum(squares_D / frames_D - mean_D**2, 0.0)),
        amplitudes_NH=np.array(amplitudes),
    )


def _padded(rows: Any, frames: int) -> Tensor:
    """Append rows of zeros."""
    return torch.cat([rows, rows.new_zeros(frames - len(rows), rows.shape[1])])
