"""Denoise the frames of one segment.

    noise -> scheduler steps { passes -> guidance -> step } -> latents

Source: CyberHost section 4.1, appendix E (dual guidance).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..backbone.conditions import Conditions, join
from ..diffusion.guidance import Guidance, combine
from ..diffusion.schedule import ScheduleSpec, make_scheduler
from .encoders import Drive, Reference
from .model import SystemModel

OnStep = Callable[[int, int], None]  # (steps done, steps in all); raises to cancel
Predict = Callable[[Tensor, Tensor, int], Tensor]  # (x_FCHW, timestep, number of the step) -> prediction


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How to sample: schedule (with sampler and steps), guidance, seed."""

    schedule: ScheduleSpec
    guidance: Guidance
    seed: int = 0


@torch.inference_mode()
def sample_segment(  # noqa: PLR0917 - read in the order in which they are made
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
    conditions = guided_conditions(model, reference, drive, guidance=options.guidance)
    return denoise(
        noise_FCHW,
        lambda x, timestep, _step: guided_prediction(
            model, x, timestep, conditions, guidance=options.guidance
        ),
        options.schedule,
        on_step=on_step,
        pinned_PCHW=pinned_PCHW,
    )


def denoise(
    noise_FCHW: Tensor,
    predict: Predict,
    schedule: ScheduleSpec,
    *,
    on_step: OnStep,
    pinned_PCHW: Tensor | None = None,
) -> Tensor:
    """Run the scheduler from noise to latents."""
    scheduler = make_scheduler(schedule)
    scheduler.set_timesteps(schedule.steps)
    x = noise_FCHW * scheduler.init_noise_sigma
    pinned = noise_FCHW[:0] if pinned_PCHW is None else pinned_PCHW
    for done, timestep in enumerate(scheduler.timesteps):
        on_step(done, len(scheduler.timesteps))
        if len(pinned):
            known = scheduler.add_noise(pinned, noise_FCHW[: len(pinned)], timestep[None])
            x = torch.cat([known, x[len(pinned) :]])
        predicted = predict(scheduler.scale_model_input(x, timestep), timestep, done)
        x = scheduler.step(predicted, timestep, x).prev_sample
    on_step(len(scheduler.timesteps), len(scheduler.timesteps))
    return torch.cat([pinned, x[len(pinned) :]])


def guided_conditions(
    model: SystemModel, reference: Reference, drive: Drive, *, guidance: Guidance
) -> Conditions:
    """Join the conditions of those passes that weigh something."""
    passes = (model.pass_conditions(reference, drive, name=name) for name in guidance.weights())
    return join(list(passes))


def guided_prediction(  # noqa: PLR0917 - as sample_segment
    model: SystemModel, x_FCHW: Tensor, timestep: Tensor, conditions: Conditions, *, guidance: Guidance
) -> Tensor:
    """Run all passes in one batch and combine them."""
    weights = list(guidance.weights().values())
    rows = x_FCHW.repeat(len(weights), 1, 1, 1)
    predicted = model.denoiser(rows, timestep.float().expand(len(weights)), conditions)
    return combine(predicted.chunk(len(weights)), weights)
