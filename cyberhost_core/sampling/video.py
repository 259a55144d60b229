"""Videos of any length with the core's own model, by the strategy that its system names.

chain     noise of the segment's frames -> sample_segment -> latents, given out as they are made
windows   noise of all frames -> each step { windows -> passes -> guidance -> mean } -> latents
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..conditioners.values import NOTHING, Drive, Encoded
from ..diffusion.noise import FrameNoise
from ..diffusion.windows import Window
from ..systems.model import SystemModel
from ..systems.spec import LongVideoSpec, SlidingWindowsSpec, SystemSpec
from .chain import Segment, chain, opening_frames
from .critics import Critics
from .denoise import OnStep, SamplingOptions, denoise
from .network import GuidedNetwork, Memos, Moment, place_of
from .track import Track
from .windows import cut, over_windows


@torch.no_grad()
def sample_video(  # noqa: PLR0917 - read in the order in which they are made
    model: SystemModel, reference: Encoded, track: Track, options: SamplingOptions, *, on_step: OnStep
) -> Iterator[Tensor]:
    """Yield the latents of a whole video, piece by piece, on the device of the model.

    A chain's memory does not grow with length; sliding windows hold the latents of all frames.

    Shapes:   each item (kept or fewer, C, h, w) float32, in the size of the reference
    """
    long = model.spec.long_video
    if isinstance(long, SlidingWindowsSpec):
        yield _windowed(model, reference, track, options, long=long, on_step=on_step)
    else:
        yield from _chained(model, reference, track, options, long=long, on_step=on_step)


@torch.no_grad()
def sample_segment(  # noqa: PLR0917 - as sample_video
    model: SystemModel,
    reference: Encoded,
    drive: Drive,
    noise_FCHW: Tensor,
    options: SamplingOptions,
    *,
    on_step: OnStep,
    pinned_PCHW: Tensor | None = None,
) -> Tensor:
    """Denoise one segment of one clip; see denoise for frames that are pinned."""
    predict = GuidedNetwork(model, reference, drive, options.guidance)
    critics = options.classifiers and Critics(
        options.classifiers, lambda _moment: [(range(drive.frames), predict)]
    )
    return denoise(noise_FCHW, predict, options, on_step=on_step, pinned_PCHW=pinned_PCHW, critics=critics)


def _chained(  # noqa: PLR0917 - as sample_video
    model: SystemModel,
    reference: Encoded,
    track: Track,
    options: SamplingOptions,
    *,
    long: LongVideoSpec,
    on_step: OnStep,
) -> Iterator[Tensor]:
    device, dtype = place_of(model)
    reference = reference.to(device, dtype)
    noise = starting_noise(model.spec, reference, options.seed)

    def sample(segment: Segment) -> Tensor:
        def report(done: int, steps: int) -> None:
            on_step(segment.number * steps + done, segment.count * steps)

        past_BMCHW = segment.past_MCHW[None].to(device, dtype)
        motion = model.follow(past_BMCHW, reference) if past_BMCHW.shape[1] else NOTHING
        return sample_segment(
            model,
            reference,
            track.of(segment.frames, motion=motion),
            noise(segment.frames).to(device),
            options,
            on_step=report,
            pinned_PCHW=segment.pinned_PCHW,
        )

    opening = opening_frames(model.spec, reference["latents"].float())
    yield from chain(model.spec, long, frames=len(track), opening_MCHW=opening, sample=sample)


def _windowed(  # noqa: PLR0917 - as sample_video
    model: SystemModel,
    reference: Encoded,
    track: Track,
    options: SamplingOptions,
    *,
    long: SlidingWindowsSpec,
    on_step: OnStep,
) -> Tensor:
    device, dtype = place_of(model)
    reference = reference.to(device, dtype)
    memos: Memos = {}  # what no frame changes is computed once for all windows

    def network(frames: Window) -> GuidedNetwork:
        return GuidedNetwork(model, reference, track.of(frames), options.guidance, memos=memos)

    def predict(x_FCHW: Tensor, moment: Moment) -> Tensor:
        return over_windows(
            long,
            lambda frames: network(frames)(x_FCHW[list(frames)], moment),
            frames=len(track),
            step=moment.number,
        )

    def windows(moment: Moment) -> list[tuple[Window, GuidedNetwork]]:
        return [(frames, network(frames)) for frames in cut(long, frames=len(track), step=moment.number)]

    critics = options.classifiers and Critics(options.classifiers, windows)
    noise = starting_noise(model.spec, reference, options.seed)(range(len(track)))
    return denoise(noise.to(device), predict, options, on_step=on_step, critics=critics)


def starting_noise(spec: SystemSpec, reference: Encoded, seed: int) -> Callable[[range], Tensor]:
    """Give every frame its noise, in the size of the reference picture, clamped where the system asks."""
    height, width = reference["latents"].shape[-2:]
    noise = FrameNoise(seed, (spec.unet.latent_channels, height, width))
    limit = spec.noise_limit
    return noise if limit is None else lambda frames: noise(frames).clamp(-limit, limit)
