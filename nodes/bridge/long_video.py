"""Sample a track of any length with the host's noise, sampler and sigmas, segment by segment.

    noise of the segment's absolute frames -> guider -> latents
    the last kept latents -> ReferenceNet -> motion frames of the next segment

The same chain as the core's sample_video, whose docstring has the source.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.model_management as management
import comfy.utils
import torch
from torch import Tensor

from ...cyberhost_core.errors import CyberHostError
from .guider import DualGuider, step_callback
from .passage import KEY, Passage, passage_of

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
    """Sample every frame of the track.

    Shapes:   returns (F, C, h, w) on the host's intermediate device
    Raises:   CyberHostError: conditionings that are not three passes of one track; latents that are not
              numbers, with the segment named
    """
    passages = [passage_of(conditioning) for conditioning in (full, reference, null)]
    _require_one_track(passages)
    first = passages[0]
    spec, frames = first.parts.spec, len(first.track)
    long = spec.long_video
    shape = (spec.unet.latent_channels, first.bank.height // 8, first.bank.width // 8)
    segments = -(-frames // long.kept)
    steps = max(1, len(sampling.sigmas) - 1)
    bar = comfy.utils.ProgressBar(segments * steps)
    noise = _Noise(sampling.noise, shape)
    pieces: list[Tensor] = []
    past = torch.zeros(0, *shape)
    for number in range(segments):
        pinned = past[len(past) - min(long.pinned, len(past)) :]
        start = number * long.kept - len(pinned)
        motion = _motion(first, past[: len(past) - len(pinned)][-long.motion_frames :])

        def report(done: int, preview: Any, number: int = number) -> None:
            bar.update_absolute(number * steps + done, segments * steps, preview)

        latents = _sample_segment(
            model,
            [_moved(conditioning, start, motion) for conditioning in (full, reference, null)],
            noise(range(start, start + long.frames)),
            sampling=sampling,
            pinned_PCHW=pinned,
            report=report,
        )
        if not torch.isfinite(latents).all():
            raise CyberHostError(
                f"Sampling gave values that are not numbers in segment {number + 1} of {segments}; try "
                "another sampler or scheduler, or start ComfyUI with --fp32-unet."
            )
        kept = latents[len(pinned) :][: min(long.kept, frames - number * long.kept)]
        pieces.append(kept)
        past = torch.cat([past, kept])[-(long.motion_frames + long.pinned) :]
    return torch.cat(pieces).to(management.intermediate_device())


def _sample_segment(
    model: Any,
    conditionings: list[list],
    noise_FCHW: Tensor,
    *,
    sampling: HostSampling,
    pinned_PCHW: Tensor,
    report: Callable[[int, Any], None],
) -> Tensor:
    guider = DualGuider(model)
    guider.set_passes(full=conditionings[0], reference=conditionings[1], null=conditionings[2])
    guider.set_scales(reference=sampling.reference_scale, audio=sampling.audio_scale)
    latents = torch.zeros_like(noise_FCHW)
    latents[: len(pinned_PCHW)] = pinned_PCHW
    mask = None
    if len(pinned_PCHW):
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
def _motion(passage: Passage, latents_MCHW: Tensor) -> dict[str, Tensor]:
    """Read the motion frames with the ReferenceNet."""
    if not len(latents_MCHW):
        return {}
    patcher = passage.parts.encoders
    management.load_models_gpu([patcher])
    weight = patcher.model.reference_net.conv_in.weight
    latents = latents_MCHW[None].to(patcher.load_device, weight.dtype)
    return patcher.model.encode_motion(latents)


def _moved(conditioning: list, start: int, motion: dict[str, Tensor]) -> list:
    """Copy a conditioning with its passage at a later segment."""
    return [[cond, {**values, KEY: values[KEY].at(start, motion)}] for cond, values in conditioning]


class _Noise:
    """Ask a NOISE object for absolute frames, a block at a time."""

    def __init__(self, source: Any, shape: tuple[int, int, int]) -> None:
        self._source, self._shape = source, shape
        self._blocks: dict[int, Tensor] = {}

    def __call__(self, frames: range) -> Tensor:
        return torch.stack([self._block(frame // _NOISE_BLOCK)[frame % _NOISE_BLOCK] for frame in frames])

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
