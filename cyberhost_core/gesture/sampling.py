"""Generate hand motion for a voice of any length, sequence by sequence.

features (F, D) -> sequence of `frames` -> DDIM from noise that belongs to the absolute frame
                     |  its last 12 frames go before the next sequence
                     +-> ... -> unit quaternions -> HandParameters
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..diffusion.ddim import ddim
from ..diffusion.noise import FrameNoise
from ..diffusion.schedule import NoiseSchedule
from ..errors import AudioError, ConfigError
from ..hands.parameters import OFFSET_NUMBERS, STANDARD_SIZE_FRAC, HandParameters
from ..hands.skeleton import SIDES
from .model import GestureModel
from .untaught import untaught

SOURCE = "emo2"
JOIN_FRAMES = 12
Progress = Callable[[int, int], None]  # (done, total) denoising steps


@dataclass(frozen=True, eq=False)
class _MotionConditions:
    """What the transformer is told of the whole clip, rows of frames still together; shown_H: 1 or 0."""

    audio_FD: Tensor
    offset_FD: Tensor
    style_B: Tensor
    amplitude_BH: Tensor
    image_BD: Tensor | None
    shown_H: Tensor


def generate_motion(
    model: GestureModel,
    *,
    audio_FD: Tensor | np.ndarray,
    frames: int,
    seed: int,
    style: str = "speaking",
    amplitudes: tuple[float | None, float | None] = (None, None),
    image_D: Tensor | np.ndarray | None = None,
    offset_FD: np.ndarray | None = None,
    sizes_frac: tuple[float, float] = (STANDARD_SIZE_FRAC, STANDARD_SIZE_FRAC),
    hands: tuple[bool, bool] = (True, True),
    steps: int | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> HandParameters:
    """Let hands move to a voice; the same seed gives the same motion.

    hands: which to move, left and right; the other is absent from every frame of the result: not valid, so
    that nothing is drawn of it and its confidence is 0. A model that never saw one hand alone moves both, and
    one is left out. notice: is told, in a sentence each, what was asked for and never trained, see untaught.

    Shapes:   audio_FD (frames, audio_dim): one row per frame at model.fps, as interpolate_to_fps gives them;
              image_D (image_dim,) a CLIP vision embedding; offset_FD (frames or 1, 8), see body_offset
    Units:    amplitudes of left and right wrist: fractions of the picture, see wrist_amplitude; None: the
              model chooses. sizes_frac: hand lengths as fractions of the picture's height
    Raises:   ConfigError: fewer than one frame, an unknown style, an amplitude that is none, an embedding or
              offsets of another shape, no hand; AudioError: features of another shape, or not numbers
    Source:   EMO2 sections 3.3 and 4.1
    Reads:    a sequence that goes on begins after the 12 frames before, which are given without noise; the
              last sequence is as long as what is left; what a sequence lacks to go on at the speed of the
              frames before is added to it, less and less over JOIN_FRAMES. The hand motion mask marks in
              training which hands are annotated; at inference, of which the paper says nothing, it tells
              which hands there are to be. The numbers of an absent one are what they are in training: the
              mean under noise, and its amplitude is not told
    """
    told = _motion_conditions(
        model,
        audio_FD=audio_FD,
        frames=frames,
        style=style,
        amplitudes=amplitudes,
        image_D=image_D,
        offset_FD=offset_FD,
        hands=hands,
    )
    for said in untaught(model, style=style, picture=image_D is not None, hands=hands):
        (notice or _say_nothing)(said)
    config = model.config.transformer
    device = model.mean_D.device
    noise = FrameNoise(seed, (1, 1, config.vector))
    count = steps or model.config.schedule.steps
    starts = range(0, frames, config.frames)
    made_FD = np.zeros((0, config.vector), dtype=np.float32)
    for number, start in enumerate(starts):
        span = range(start, min(start + config.frames, frames))
        before_FD = made_FD[-config.frames_before :]
        before_FD = before_FD if len(before_FD) >= config.frames_before else before_FD[:0]
        before_PD = model.standardized(before_FD) * model.numbers_of(told.shown_H[None])
        sampled_FD = _sequence(
            model,
            told,
            noise(span).flatten(1).to(device),
            span=span,
            before_PD=before_PD,
            steps=count,
            tell=lambda done, number=number: (
                progress and progress(number * count + done, count * len(starts))
            ),
        )
        somewhere_D = torch.from_numpy(np.isfinite(before_FD[-2:]).all(axis=0)).to(device)
        going_on_FD = torch.where(somewhere_D, _continued(sampled_FD, before_PD), sampled_FD)
        made_FD = np.concatenate([made_FD, model.form.tidy(model.vectors(going_on_FD))])
    return HandParameters(
        model.form.read(made_FD),
        np.tile(hands, (frames, 1)),
        fps=model.fps,
        source=SOURCE,
        sizes_frac_FH=np.array([sizes_frac], dtype=np.float32),
        offset_FD=np.zeros((1, OFFSET_NUMBERS)) if offset_FD is None else offset_FD,
        limbs_FKC=model.form.limbs(made_FD),
    )


@torch.inference_mode()
def _sequence(
    model: GestureModel,
    told: _MotionConditions,
    noise_FD: Tensor,
    *,
    span: range,
    before_PD: Tensor,
    steps: int,
    tell: Callable[[int], object],
) -> Tensor:
    """Denoise one sequence; standardized numbers in and out."""
    scale = model.config.audio_scale
    heard = told.audio_FD[span.start : span.stop]
    # The second row of a guided batch hears nothing.
    audio_BFD = torch.stack([heard] if scale == 1 else [heard, torch.zeros_like(heard)])
    rows = len(audio_BFD)
    schedule, mean_FD = NoiseSchedule(model.config.schedule), torch.zeros_like(noise_FD)
    shown_D = model.numbers_of(told.shown_H[None])
    shared = {
        "audio_BFD": audio_BFD,
        "mask_BFH": told.shown_H.expand(rows, len(span), -1),
        "before_BPD": before_PD.expand(rows, -1, -1),
        "style_B": told.style_B.expand(rows),
        "amplitude_BH": told.amplitude_BH.expand(rows, -1),
        "image_BD": None if told.image_BD is None else told.image_BD.expand(rows, -1),
        "offset_BFD": told.offset_FD[span.start : span.stop].expand(rows, -1, -1),
    }

    def answer(x_FD: Tensor, timestep: int) -> Tensor:
        at_B = torch.full((rows,), float(timestep), device=x_FD.device)
        absent_FD = schedule.add_noise(mean_FD[None], noise_FD[None], torch.tensor([timestep]))[0]
        x_FD = torch.where(shown_D, x_FD, absent_FD)
        answers = model.transformer(x_FD.expand(rows, -1, -1), at_B, **shared)
        return answers[0] if scale == 1 else torch.lerp(answers[1], answers[0], scale)

    return ddim(noise_FD, answer, model.config.schedule, steps=steps, tell=tell)


def _continued(sampled_FD: Tensor, before_PD: Tensor) -> Tensor:
    """Let a sequence go on where the frames before it were going."""
    if len(before_PD) < 2:
        return sampled_FD
    expected_D = 2 * before_PD[-1] - before_PD[-2]
    share_F = 0.5 + 0.5 * torch.cos(torch.linspace(0, math.pi, JOIN_FRAMES + 1))[: len(sampled_FD)]
    result = sampled_FD.clone()
    result[: len(share_F)] += share_F[:, None].to(result) * (expected_D - sampled_FD[0])
    return result


def _motion_conditions(
    model: GestureModel,
    *,
    audio_FD: Tensor | np.ndarray,
    frames: int,
    style: str,
    amplitudes: tuple[float | None, float | None],
    image_D: Tensor | np.ndarray | None,
    offset_FD: np.ndarray | None,
    hands: tuple[bool, bool],
) -> _MotionConditions:
    """Check everything that is told, and bring it to the model's device."""
    config, like = model.config.transformer, model.mean_D
    if frames < 1:
        raise ConfigError(f"Hand motion of {frames} frames was asked for; ask for at least 1.")
    if style not in config.styles:
        raise ConfigError(
            f"The gesture style '{style}' is not known to this model; "
            f"choose one of: {', '.join(config.styles)}."
        )
    for side, amplitude in zip(SIDES, amplitudes, strict=True):
        if amplitude is not None and not (math.isfinite(amplitude) and amplitude >= 0):
            raise ConfigError(
                f"An amplitude of {amplitude} was asked for the {side} hand, but 0 or more was expected, in "
                "fractions of the picture; 0.07 is usual, None leaves it to the model."
            )
    if not any(hands):
        raise ConfigError("Motion of no hand was asked for; ask for the left one, the right one, or both.")
    audio = torch.as_tensor(audio_FD).to(like)
    if tuple(audio.shape) != (frames, config.audio_dim):
        raise AudioError(
            f"Speech features of shape {list(audio.shape)} came for {frames} frames of hand motion, but "
            f"{[frames, config.audio_dim]} was expected; take the speech encoder that the model was trained "
            f"with, at {model.fps:g} frames per second."
        )
    if not bool(audio.isfinite().all()):
        raise AudioError(
            "The speech features hold values that are not numbers (NaN or infinity); check the sound and "
            "compute them again."
        )
    moved = hands if model.config.learnt.one_hand else (True, True)
    told = [
        amplitude if amplitude is not None and shown else math.nan
        for amplitude, shown in zip(amplitudes, moved, strict=True)
    ]
    return _MotionConditions(
        audio_FD=audio,
        offset_FD=_offset(model, offset_FD, frames=frames),
        style_B=torch.tensor([config.styles.index(style)], device=like.device),
        amplitude_BH=torch.tensor([told], device=like.device),
        image_BD=_image(model, image_D),
        shown_H=like.new_tensor(moved),
    )


def _offset(model: GestureModel, offset_FD: np.ndarray | None, *, frames: int) -> Tensor:
    if offset_FD is None:
        return model.mean_D.new_zeros(frames, OFFSET_NUMBERS)
    offset = torch.as_tensor(offset_FD).to(model.mean_D)
    if tuple(offset.shape) not in ((frames, OFFSET_NUMBERS), (1, OFFSET_NUMBERS)):
        raise ConfigError(
            f"Body offsets of shape {list(offset.shape)} came for {frames} frames of hand motion, but "
            f"{[frames, OFFSET_NUMBERS]} or {[1, OFFSET_NUMBERS]} was expected; give them for every frame, "
            "or once for all."
        )
    return offset.expand(frames, -1)


def _image(model: GestureModel, image_D: Tensor | np.ndarray | None) -> Tensor | None:
    if image_D is None:
        return None
    image, numbers = torch.as_tensor(image_D).to(model.mean_D), model.config.transformer.image_dim
    if tuple(image.shape) != (numbers,):
        raise ConfigError(
            f"A picture's embedding of shape {list(image.shape)} came, but {[numbers]} was expected; take "
            "the CLIP vision model that the weights were trained with, or leave the picture out."
        )
    return image[None]


def _say_nothing(_: str) -> None:
    pass
