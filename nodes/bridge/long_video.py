"""Sample a track of any length with the host's noise, sampler and sigmas.

    chain     noise of the segment's absolute frames -> guider -> latents
              the last kept latents -> ReferenceNet -> motion frames of the next segment
    windows   noise of all frames -> guider that cuts every step into windows -> latents

The same strategies as the core's long_video, whose docstring has the source.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import comfy.model_management as management
import comfy.utils
import torch
from torch import Tensor

from ...cyberhost_core.errors import CyberHostError
from ...cyberhost_core.systems.encoders import Motion
from ...cyberhost_core.systems.long_video import opening_frames
from ...cyberhost_core.systems.spec import LongVideoSpec, SlidingWindowsSpec
from ...cyberhost_core.systems.track import NO_MOTION
from .guider import DualGuider, step_callback
from .passage import KEY, Passage, passage_of
from .windows import WindowGuider

_NOISE_BLOCK = 512  # frames drawn at once: the host draws every frame before the wanted one again


@dataclass(frozen=True, kw_only=True)
class HostSampling:
    """The host's own choices: NOISE, SAMPLER, SIGMAS, and both guidance scales."""

    noise: Any
    sampler: Any
    sigmas: Tensor
    reference_scale: float
    audio_scale: float


def sample_track(model: Any, *, full: list, reference: list, null: list, sampling: HostSampling) -> Tensor:
    """Sample every frame of the track, by the strategy that its system names.

    Shapes:   returns (F, C, h, w) on the host's intermediate device
    Raises:   CyberHostError: conditionings that are not three passes of one track; latents that are not
              numbers, with the segment named
    """
    conditionings = [full, reference, null]
    passages = [passage_of(conditioning) for conditioning in conditionings]
    _require_one_track(passages)
    is_windowed = isinstance(passages[0].parts.spec.long_video, SlidingWindowsSpec)
    strategy = _windowed if is_windowed else _chained
    latents = strategy(model, conditionings, passages[0], sampling=sampling)
    return latents.to(management.intermediate_device())


def _windowed(model: Any, conditionings: list[list], first: Passage, *, sampling: HostSampling) -> Tensor:
    long = cast("SlidingWindowsSpec", first.parts.spec.long_video)
    frames, steps = len(first.track), max(1, len(sampling.sigmas) - 1)
    bar = comfy.utils.ProgressBar(steps)
    guider = WindowGuider(model)
    guider.set_windows(long)
    latents = _sample(
        guider,
        model,
        [_as(conditioning, lambda passage: passage.whole()) for conditioning in conditionings],
        _Noise(sampling.noise, first)(range(frames)),
        sampling=sampling,
        report=lambda done, preview: bar.update_absolute(done, steps, preview),
    )
    _require_numbers(latents, "")
    return latents


def _chained(model: Any, conditionings: list[list], first: Passage, *, sampling: HostSampling) -> Tensor:
    spec, frames = first.parts.spec, len(first.track)
    long = cast("LongVideoSpec", spec.long_video)
    segments = -(-frames // long.kept)
    steps = max(1, len(sampling.sigmas) - 1)
    bar = comfy.utils.ProgressBar(segments * steps)
    noise = _Noise(sampling.noise, first)
    pieces: list[Tensor] = []
    past = opening_frames(long, first.bank.reference) / spec.latent_scale
    for number in range(segments):
        pinned = past[len(past) - min(long.pinned, len(past)) :] if number else past[:0]
        start = number * long.kept - len(pinned)
        shown = past[: len(past) - len(pinned)][-long.motion_frames :]
        motion = _motion(first, shown) if number else first.bank.opening

        def report(done: int, preview: Any, number: int = number) -> None:
            bar.update_absolute(number * steps + done, segments * steps, preview)

        latents = _sample(
            DualGuider(model),
            model,
            [_at(conditioning, start, motion) for conditioning in conditionings],
            noise(range(start, start + long.frames)),
            sampling=sampling,
            report=report,
            pinned_PCHW=pinned,
        )
        _require_numbers(latents, f" in segment {number + 1} of {segments}")
        kept = latents[len(pinned) :][: min(long.kept, frames - number * long.kept)]
        pieces.append(kept)
        past = torch.cat([past, kept])[-(long.motion_frames + long.pinned) :]
    return torch.cat(pieces)


def _sample(  # noqa: PLR0917 - read in the order in which they are made
    guider: DualGuider,
    model: Any,
    conditionings: list[list],
    noise_FCHW: Tensor,
    *,
    sampling: HostSampling,
    report: Callable[[int, Any], None],
    pinned_PCHW: Tensor | None = None,
) -> Tensor:
    guider.set_passes(full=conditionings[0], reference=conditionings[1], null=conditionings[2])
    guider.set_scales(reference=sampling.reference_scale, audio=sampling.audio_scale)
    latents = torch.zeros_like(noise_FCHW)
    mask = None
    if pinned_PCHW is not None and len(pinned_PCHW):
        latents[: len(pinned_PCHW)] = pinned_PCHW
        mask = torch.ones(len(latents), 1, *latents.shape[2:])
        mask[: len(pinned_PCHW)] = 0
    return guider.sample(
        noise_FCHW,
        latents,
        sampling.sampler,
        sampling.sigmas,
        denoise_mask=mask,
        callback=step_callback(model, report),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=sampling.noise.seed,
    ).cpu()


@torch.inference_mode()
def _motion(passage: Passage, latents_MCHW: Tensor) -> Motion:
    """Read the motion frames with the ReferenceNet."""
    if not len(latents_MCHW):
        return NO_MOTION
    patcher = passage.parts.encoders
    management.load_models_gpu([patcher])
    dtype = patcher.model.reference_net.conv_in.weight.dtype
    scaled = latents_MCHW[None] * passage.parts.spec.latent_scale
    tokens_only = replace(passage.bank.reference, features={}, identity={})
    reference = tokens_only.to(patcher.load_device, dtype)
    return patcher.model.encode_motion(scaled.to(patcher.load_device, dtype), reference)


def _at(conditioning: list, start: int, motion: Motion) -> list:
    """Copy a conditioning with its passage at a later segment."""
    return _as(conditioning, lambda passage: passage.at(start, motion))


def _as(conditioning: list, change: Callable[[Passage], Passage]) -> list:
    return [[cond, {**values, KEY: change(values[KEY])}] for cond, values in conditioning]


def _require_numbers(latents_FCHW: Tensor, where: str) -> None:
    if not torch.isfinite(latents_FCHW).all():
        raise CyberHostError(
            f"Sampling gave values that are not numbers{where}; try another sampler or scheduler, or start "
            "ComfyUI with --fp32-unet."
        )


class _Noise:
    """Ask a NOISE object for absolute frames, a block at a time; clamped where the system asks."""

    def __init__(self, source: Any, passage: Passage) -> None:
        spec, bank = passage.parts.spec, passage.bank
        self._source, self._limit = source, spec.noise_limit
        self._shape = (spec.unet.latent_channels, bank.height // 8, bank.width // 8)
        self._blocks: dict[int, Tensor] = {}

    def __call__(self, frames: range) -> Tensor:
        drawn = torch.stack([self._block(frame // _NOISE_BLOCK)[frame % _NOISE_BLOCK] for frame in frames])
        return drawn if self._limit is None else drawn.clamp(-self._limit, self._limit)

    def _block(self, number: int) -> Tensor:
        if number not in self._blocks:
            self._blocks = {key: value for key, value in self._blocks.items() if key == number - 1}
            indices = list(range(number * _NOISE_BLOCK, (number + 1) * _NOISE_BLOCK))
            empty = torch.zeros(_NOISE_BLOCK, *self._shape)
            self._blocks[number] = self._source.generate_noise({"samples": empty, "batch_index": indices})
        return self._blocks[number]


def _require_one_track(passages: list[Passage]) -> None:
    names = [passage.name for passage in passages]
    if names != ["full", "reference", "null"] or len({id(passage.track) for passage in passages}) > 1:
        raise CyberHostError(
            f"The three conditionings came as {', '.join(names)}; connect positive, reference only and "
            "negative of one CyberHost Conditions node, in this order."
        )
