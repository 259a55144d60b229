"""Sample a track of any length with the host's noise, sampler and sigmas, by the core's own strategies.

chain     noise of the segment's absolute frames -> guider -> latents
          the last kept latents -> encoders -> what the next segment is shown
windows   noise of all frames -> guider that cuts every step into windows -> latents
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management as management
import comfy.utils
import torch
from torch import Tensor

from ...cyberhost_core.conditioners.image_tokens import IMAGE, NULL_IMAGE
from ...cyberhost_core.conditioners.values import Encoded
from ...cyberhost_core.errors import CyberHostError
from ...cyberhost_core.guidance.guidance import FULL, WITHOUT_BOTH, WITHOUT_SOUND, Guidance, Pass
from ...cyberhost_core.sampling.chain import Segment, chain, opening_frames
from ...cyberhost_core.systems.spec import LongVideoSpec, SlidingWindowsSpec
from ...cyberhost_core.units import LATENT_STRIDE_PX
from .guider import PassGuider, step_callback
from .outside_inference import differentiable
from .passage import KEY, Passage, passage_of
from .windows import WindowGuider

_NOISE_BLOCK = 512  # frames drawn at once: the host draws every frame before the wanted one again
Conditionings = Mapping[Pass, list]


@dataclass(frozen=True, kw_only=True)
class HostSampling:
    """The host's own choices: NOISE, SAMPLER, SIGMAS; and how much portrait and sound guide."""

    noise: Any
    sampler: Any
    sigmas: Tensor
    reference_scale: float
    audio_scale: float

    @property
    def steps(self) -> int:
        return max(1, len(self.sigmas) - 1)


def sample_track(model: Any, *, full: list, reference: list, null: list, sampling: HostSampling) -> Tensor:
    """Sample every frame of the track, by the strategy that its system names.

    Shapes:   returns (F, C, h, w) on the host's intermediate device
    Raises:   CyberHostError: conditionings that are not three passes of one track; latents that are not
              numbers, with the segment named
    """
    given = {FULL: full, WITHOUT_SOUND: reference, WITHOUT_BOTH: null}
    first = _require_one_track(given)
    guidance = first.parts.spec.guidance.with_scales(
        reference=sampling.reference_scale, audio=sampling.audio_scale
    )
    # A pass that no wire brings differs from the full one in what it goes without.
    conditionings = {
        seen: given.get(seen) or _as(full, lambda passage, seen=seen: replace(passage, seen=seen))
        for seen in guidance.passes
    }
    long = first.parts.spec.long_video
    if isinstance(long, SlidingWindowsSpec):
        latents = _windowed(model, conditionings, first, long=long, guidance=guidance, sampling=sampling)
    else:
        latents = _chained(model, conditionings, first, long=long, guidance=guidance, sampling=sampling)
    return latents.to(management.intermediate_device())


def _windowed(
    model: Any,
    conditionings: Conditionings,
    first: Passage,
    *,
    long: SlidingWindowsSpec,
    guidance: Guidance,
    sampling: HostSampling,
) -> Tensor:
    bar = comfy.utils.ProgressBar(sampling.steps)
    guider = WindowGuider(model)
    guider.set_windows(long)
    guider.set_guidance(guidance, _each(conditionings, lambda passage: passage.whole()))
    latents = _sample(
        guider,
        _Noise(sampling.noise, first)(range(len(first.track))),
        sampling=sampling,
        report=lambda done, preview: bar.update_absolute(done, sampling.steps, preview),
    )
    _require_numbers(latents, "")
    return latents


def _chained(
    model: Any,
    conditionings: Conditionings,
    first: Passage,
    *,
    long: LongVideoSpec,
    guidance: Guidance,
    sampling: HostSampling,
) -> Tensor:
    spec, steps = first.parts.spec, sampling.steps
    bar = comfy.utils.ProgressBar(-(-len(first.track) // long.kept) * steps)
    noise = _Noise(sampling.noise, first)

    def sample(segment: Segment) -> Tensor:
        def report(done: int, preview: Any) -> None:
            bar.update_absolute(segment.number * steps + done, segment.count * steps, preview)

        motion = _followed(first, segment.past_MCHW) if segment.number else first.bank.opening
        guider = PassGuider(model)
        guider.set_guidance(
            guidance, _each(conditionings, lambda passage: passage.at(segment.frames.start, motion))
        )
        latents = _sample(
            guider, noise(segment.frames), sampling=sampling, report=report, pinned_PCHW=segment.pinned_PCHW
        )
        _require_numbers(latents, f" in segment {segment.number + 1} of {segment.count}")
        return latents

    opening = opening_frames(spec, first.bank.reference["latents"]) / spec.latent_scale
    return torch.cat(list(chain(spec, long, frames=len(first.track), opening_MCHW=opening, sample=sample)))


def _sample(
    guider: PassGuider,
    noise_FCHW: Tensor,
    *,
    sampling: HostSampling,
    report: Callable[[int, Any], None],
    pinned_PCHW: Tensor | None = None,
) -> Tensor:
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
        callback=step_callback(guider.model_patcher, report),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=sampling.noise.seed,
    ).cpu()


def _followed(passage: Passage, latents_MCHW: Tensor) -> Encoded:
    """Read the frames before a segment."""
    parts = passage.parts
    patcher = parts.encoders
    management.load_models_gpu([patcher])
    scaled = latents_MCHW[None] * parts.spec.latent_scale
    tokens_only = passage.bank.reference.only(IMAGE, NULL_IMAGE)
    with differentiable():
        reference = tokens_only.to(patcher.load_device, parts.dtype)
        return patcher.model.follow(scaled.to(patcher.load_device, parts.dtype), reference)


def _each(conditionings: Conditionings, change: Callable[[Passage], Passage]) -> dict[Pass, list]:
    return {seen: _as(conditioning, change) for seen, conditioning in conditionings.items()}


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
        cells = (bank.height // LATENT_STRIDE_PX, bank.width // LATENT_STRIDE_PX)
        self._shape = (spec.unet.latent_channels, *cells)
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


def _require_one_track(given: Conditionings) -> Passage:
    """Check that the three wires are the three passes of one track; gives the full one."""
    passages = [passage_of(conditioning) for conditioning in given.values()]
    if [passage.seen for passage in passages] != list(given) or len({id(p.track) for p in passages}) > 1:
        names = ", ".join(passage.seen.name for passage in passages)
        raise CyberHostError(
            f"The three conditionings came as {names}; connect positive, reference only and negative of one "
            "CyberHost Conditions node, in this order."
        )
    return passages[0]
