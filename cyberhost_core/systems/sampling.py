"""Sample one segment, and chain segments to any length.

    noise of the segment's frames -> scheduler steps { passes -> guidance -> step } -> latents
    last kept latents -> ReferenceNet -> motion frames of the next segment

Source: CyberHost section 3.1 and 4.1 (12 frames, 4 motion frames), appendix E (dual guidance).
Departs:  `kept` may be smaller than the segment: the last frames, which have no future to lean on, are then
          made again by the next segment; `pinned` frames of the segment before may open the next, unchanged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..backbone.conditions import Conditions, join
from ..diffusion.guidance import Guidance, combine
from ..diffusion.noise import FrameNoise
from ..diffusion.schedule import ScheduleSpec, make_scheduler
from .model import Drive, Reference, SystemModel

OnStep = Callable[[int, int], None]  # (steps done, steps in all); raises to cancel


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How to sample: schedule (with sampler and steps), guidance, seed."""

    schedule: ScheduleSpec
    guidance: Guidance
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Track:
    """What drives a whole video; `at` cuts out a segment's frames and holds the last frame beyond the end.

    Shapes:   audio_FWD; maps_FCYX, F = 1 for a map that stands still; clarity_4
    """

    audio_FWD: Tensor
    maps_FCYX: Tensor
    clarity_4: Tensor

    def __len__(self) -> int:
        return len(self.audio_FWD)

    def at(self, start: int, frames: int) -> Drive:
        """Drive of frames start..start + frames."""
        index = torch.arange(start, start + frames)
        maps = self.maps_FCYX
        moving = len(maps) > 1
        return Drive(
            audio_BFWD=self.audio_FWD[index.clamp(max=len(self) - 1)][None].float(),
            maps_BFCYX=(maps[index.clamp(max=len(maps) - 1)] if moving else maps)[None],
            clarity_BF4=self.clarity_4.expand(1, frames, 4),
        )


@torch.inference_mode()
def sample_video(  # noqa: PLR0917 - read in the order in which they are made
    model: SystemModel, reference: Reference, track: Track, options: SamplingOptions, *, on_step: OnStep
) -> Iterator[Tensor]:
    """Yield the latents of a whole video, segment by segment; memory does not grow with length.

    Shapes:   each item (kept or fewer, C, h, w)
    """
    long = model.spec.long_video
    segments = -(-len(track) // long.kept)
    shape = _latent_shape(model)
    noise = FrameNoise(options.seed, shape)
    past = torch.zeros(0, *shape)  # as much of what is done as the next segment needs
    for number in range(segments):
        pinned = past[len(past) - min(long.pinned, len(past)) :]
        motion = past[: len(past) - len(pinned)][-long.motion_frames :]
        first = number * long.kept - len(pinned)
        carried = model.encode_motion(motion[None]) if len(motion) else {}
        drive = replace(track.at(first, long.frames), motion=carried)

        def report(done: int, steps: int, number: int = number) -> None:
            on_step(number * steps + done, segments * steps)

        latents = sample_segment(
            model,
            reference,
            drive,
            noise(range(first, first + long.frames)),
            options,
            on_step=report,
            pinned_PCHW=pinned,
        )
        new = latents[len(pinned) :][: min(long.kept, len(track) - number * long.kept)]
        yield new
        past = torch.cat([past, new])[-(long.motion_frames + long.pinned) :]


@torch.inference_mode()
def sample_segment(  # noqa: PLR0917 - as sample_video
    model: SystemModel,
    reference: Reference,
    drive: Drive,
    noise_FCHW: Tensor,
    options: SamplingOptions,
    *,
    on_step: OnStep,
    pinned_PCHW: Tensor | None = None,
) -> Tensor:
    """Denoise one segment of one clip; its first P frames may be given and then stay as they are.

    A given frame is shown to the model at each step with that step's share of its own noise.

    Shapes:   noise (F, C, h, w), pinned (P, C, h, w) -> latents (F, C, h, w)
    """
    scheduler = make_scheduler(options.schedule)
    scheduler.set_timesteps(options.schedule.steps)
    weights = options.guidance.weights()
    conditions = join([_pass(model, reference, drive, name=name) for name in weights])
    x = noise_FCHW * scheduler.init_noise_sigma
    pinned = noise_FCHW[:0] if pinned_PCHW is None else pinned_PCHW
    for done, timestep in enumerate(scheduler.timesteps):
        on_step(done, len(scheduler.timesteps))
        if len(pinned):
            known = scheduler.add_noise(pinned, noise_FCHW[: len(pinned)], timestep[None])
            x = torch.cat([known, x[len(pinned) :]])
        scaled = scheduler.scale_model_input(x, timestep)
        rows = scaled.repeat(len(weights), 1, 1, 1)
        predicted = model.denoiser(rows, timestep.float().expand(len(weights)), conditions)
        guided = combine(predicted.chunk(len(weights)), list(weights.values()))
        x = scheduler.step(guided, timestep, x).prev_sample
    on_step(len(scheduler.timesteps), len(scheduler.timesteps))
    return torch.cat([pinned, x[len(pinned) :]])


def _pass(model: SystemModel, reference: Reference, drive: Drive, *, name: str) -> Conditions:
    """Conditions of one guidance pass; see diffusion.guidance for what each drops."""
    heard = drive if name == "full" else replace(drive, audio_BFWD=torch.zeros_like(drive.audio_BFWD))
    return model.conditions(reference, heard, reference_rows=[name != "null"])


def _latent_shape(model: SystemModel) -> tuple[int, int, int]:
    spec = model.spec
    return spec.unet.latent_channels, spec.height // 8, spec.width // 8
