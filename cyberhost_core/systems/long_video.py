"""Videos of any length by either strategy: a chain of segments, or sliding windows over the whole.

    chain     noise of the segment's frames -> sample_segment -> latents, given out as they are made
              last kept latents -> ReferenceNet -> motion frames of the next segment
    windows   noise of all frames -> each step { windows -> passes -> guidance -> mean where they overlap }

Source: CyberHost section 3.1 and 4.1 (12 frames, 4 motion frames); Hallo (reference picture as the first
motion frames); AnimateDiff-Evolved's context windows as Moore-AnimateAnyone and EchoMimicV2 use them.
Departs:  `kept` may be smaller than the segment: the last frames, which have no future to lean on, are then
          made again by the next segment; `pinned` frames of the segment before may open the next, unchanged.
          Motion frames are the sampled latents themselves, where Hallo decodes and encodes them again.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from ..diffusion.noise import FrameNoise
from ..diffusion.windows import Window, average, windows
from .encoders import Reference
from .model import SystemModel
from .sampling import (
    OnStep,
    SamplingOptions,
    denoise,
    guided_conditions,
    guided_prediction,
    sample_segment,
)
from .spec import LongVideoSpec, SlidingWindowsSpec, SystemSpec
from .track import NO_MOTION, Track

if TYPE_CHECKING:
    from ..backbone.conditions import Memo


@torch.inference_mode()
def sample_video(  # noqa: PLR0917 - read in the order in which they are made
    model: SystemModel, reference: Reference, track: Track, options: SamplingOptions, *, on_step: OnStep
) -> Iterator[Tensor]:
    """Yield the latents of a whole video, piece by piece.

    A chain's memory does not grow with length; sliding windows hold the latents of all frames.

    Shapes:   each item (kept or fewer, C, h, w), in the size of the reference
    """
    strategy = _windowed if isinstance(model.spec.long_video, SlidingWindowsSpec) else _chained
    yield from strategy(model, reference, track, options, on_step=on_step)


def _chained(  # noqa: PLR0917 - as sample_video
    model: SystemModel, reference: Reference, track: Track, options: SamplingOptions, *, on_step: OnStep
) -> Iterator[Tensor]:
    long = cast("LongVideoSpec", model.spec.long_video)
    noise = starting_noise(model.spec, reference, options.seed)
    segments = -(-len(track) // long.kept)
    past = opening_frames(long, reference)  # as much of what is done as the next segment needs
    for number in range(segments):
        pinned = past[len(past) - min(long.pinned, len(past)) :] if number else past[:0]
        motion = past[: len(past) - len(pinned)][-long.motion_frames :]
        first = number * long.kept - len(pinned)
        frames = range(first, first + long.frames)
        carried = model.encode_motion(motion[None], reference) if len(motion) else NO_MOTION

        def report(done: int, steps: int, number: int = number) -> None:
            on_step(number * steps + done, segments * steps)

        latents = sample_segment(
            model,
            reference,
            track.of(frames, motion=carried),
            noise(frames),
            options,
            on_step=report,
            pinned_PCHW=pinned,
        )
        new = latents[len(pinned) :][: min(long.kept, len(track) - number * long.kept)]
        yield new
        past = torch.cat([past, new])[-(long.motion_frames + long.pinned) :]


def _windowed(  # noqa: PLR0917 - as sample_video
    model: SystemModel, reference: Reference, track: Track, options: SamplingOptions, *, on_step: OnStep
) -> Iterator[Tensor]:
    long = cast("SlidingWindowsSpec", model.spec.long_video)
    kept: Memo = {}  # what no frame changes is computed once for all windows

    def predict(x_FCHW: Tensor, timestep: Tensor, step: int) -> Tensor:
        def of_window(frames: Window) -> Tensor:
            conditions = guided_conditions(model, reference, track.of(frames), guidance=options.guidance)
            conditions = replace(conditions, clip_memo=kept)
            return guided_prediction(
                model, x_FCHW[list(frames)], timestep, conditions, guidance=options.guidance
            )

        cut = windows_of_step(long, len(track), step)
        return average(map(of_window, cut), over=cut, frames=len(track))

    noise = starting_noise(model.spec, reference, options.seed)(range(len(track)))
    yield denoise(noise, predict, options.schedule, on_step=on_step)


def windows_of_step(long: SlidingWindowsSpec, frames: int, step: int) -> list[Window]:
    """Which frames each window of one sampling step covers."""
    return windows(
        frames, size=long.frames, overlap=long.overlap, shift=step * long.overlap if long.rotating else 0
    )


def opening_frames(long: LongVideoSpec, reference: Reference) -> Tensor:
    """What the motion frames of the first segment show, (M, C, h, w); none for most systems."""
    latents = reference.latents_BCHW[:1]
    return latents.expand(long.motion_frames if long.opening == "reference" else 0, -1, -1, -1)


def starting_noise(spec: SystemSpec, reference: Reference, seed: int) -> Callable[[range], Tensor]:
    """Give every frame its noise, in the size of the reference picture, clamped where the system asks."""
    noise = FrameNoise(seed, latent_shape(spec, reference))
    limit = spec.noise_limit
    return noise if limit is None else lambda frames: noise(frames).clamp(-limit, limit)


def latent_shape(spec: SystemSpec, reference: Reference) -> tuple[int, int, int]:
    """One frame's latents, (C, h, w), in the size of the reference picture."""
    height, width = reference.latents_BCHW.shape[-2:]
    return spec.unet.latent_channels, height, width
