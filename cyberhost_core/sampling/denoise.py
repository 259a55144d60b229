"""From noise to latents, step by step; a guidance may take a step in its own way.

    noise -> { guidance.advance -> solver step of a guided prediction } per timestep -> latents

Source: CyberHost section 4.1; the solvers are diffusers'.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..diffusion.schedule import NoiseSchedule, ScheduleSpec, make_scheduler
from ..errors import ConfigError
from ..guidance.guidance import Guidance
from ..guidance.step import Part
from .critics import Classifiers, Critics
from .network import Moment

OnStep = Callable[[int, int], None]  # (steps done, steps in all); raises to cancel
Predict = Callable[[Tensor, Moment], Tensor]


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How to sample: schedule (with sampler and steps), guidance, seed; classifiers, if guidance asks them.

    Raises:   ConfigError: it asks them, and there are none
    """

    schedule: ScheduleSpec
    guidance: Guidance
    seed: int = 0
    classifiers: Classifiers | None = None

    def __post_init__(self) -> None:
        if self.guidance.parts and self.classifiers is None:
            raise _without_classifiers()


def denoise(
    noise_FCHW: Tensor,
    predict: Predict,
    options: SamplingOptions,
    *,
    on_step: OnStep,
    pinned_PCHW: Tensor | None = None,
    critics: Critics | None = None,
) -> Tensor:
    """Run the solver; the first P frames may be given and then stay as they are.

    A given frame is shown to the model at each step with that step's share of its own noise. critics: where
    guidance asks classifiers.

    Shapes:   noise (F, C, h, w), pinned (P, C, h, w) -> latents (F, C, h, w)
    """
    scheduler = make_scheduler(options.schedule)
    scheduler.set_timesteps(options.schedule.steps)
    levels = NoiseSchedule(options.schedule)
    x, count = noise_FCHW * scheduler.init_noise_sigma, len(scheduler.timesteps)
    pinned = noise_FCHW[:0] if pinned_PCHW is None else pinned_PCHW
    for number, timestep in enumerate(scheduler.timesteps):
        on_step(number, count)
        if len(pinned):
            known = scheduler.add_noise(pinned, noise_FCHW[: len(pinned)], timestep[None])
            x = torch.cat([known, x[len(pinned) :]])
        moment = Moment(timestep, number, float(levels.sigma[timestep.long()]))
        step = SolverStep(scheduler, predict, levels, moment=moment, count=count, critics=critics)
        if options.guidance.own_steps:
            x = step.unscaled(options.guidance.advance(step.scaled(x), step))
        else:
            x = step.solver_step(x)
    on_step(count, count)
    return torch.cat([pinned, x[len(pinned) :]])


class SolverStep:
    """One step of a diffusers scheduler, as a guidance sees it; see guidance.step."""

    def __init__(
        self,
        scheduler: Any,
        predict: Predict,
        levels: NoiseSchedule,
        *,
        moment: Moment,
        count: int,
        critics: Critics | None = None,
    ) -> None:
        self._scheduler, self._predict, self._levels, self._moment = scheduler, predict, levels, moment
        self._critics = critics
        self.number, self.count, self.noise = moment.number, count, moment.noise
        self._start = _state(scheduler)

    def solver_step(self, x: Tensor) -> Tensor:
        """Go one step from x as the scheduler keeps it."""
        timestep = self._moment.timestep
        predicted = self._predict(self._scheduler.scale_model_input(x, timestep), self._moment)
        return self._scheduler.step(predicted, timestep, x).prev_sample

    def scaled(self, x: Tensor) -> Tensor:
        """From the scheduler's latents to those of a variance-preserving diffusion, at the step's start."""
        self._restart()
        return x * self._factor(self._moment.timestep)

    def unscaled(self, x_FCHW: Tensor) -> Tensor:
        """Back again, at the step's end."""
        return x_FCHW / self._end_factor()

    def solve(self, x_FCHW: Tensor) -> Tensor:
        """Go one step from x; a multistep scheduler's memory is that of the step's beginning."""
        self._restart()
        x = self.solver_step(x_FCHW / self._factor(self._moment.timestep))
        return x * self._end_factor()

    def clean(self, x_FCHW: Tensor) -> Tensor:
        """Estimate the latents without noise."""
        timestep_F = self._moment.timestep.long().expand(len(x_FCHW))
        return self._levels.to_x0(self._predict(x_FCHW, self._moment), x_FCHW, timestep_F)

    def misfit(self, part: Part, x_FCHW: Tensor) -> Tensor:
        """Ask the classifier of a part."""
        return require_critics(self._critics).misfit(part, x_FCHW, self._moment)

    def mask(self, part: Part) -> Tensor:
        """Say where a part is."""
        return require_critics(self._critics).mask(part)

    def _factor(self, timestep: Tensor) -> float:
        return float(self._scheduler.scale_model_input(torch.ones(1), timestep))

    def _end_factor(self) -> float:
        if self.number + 1 == self.count:
            return 1.0  # no noise is left
        scheduler = copy.copy(self._scheduler)  # asking for a factor moves some schedulers on
        vars(scheduler).update(_copied(self._start))
        later = scheduler.timesteps[self.number + 1]
        scheduler._step_index = None
        return float(scheduler.scale_model_input(torch.ones(1), later))

    def _restart(self) -> None:
        vars(self._scheduler).update(_copied(self._start))


def require_critics(critics: Critics | None) -> Critics:
    """Refuse guidance by classifiers without classifiers.

    Raises:   ConfigError: there are none
    """
    if critics is None:
        raise _without_classifiers()
    return critics


def _without_classifiers() -> ConfigError:
    return ConfigError(
        "The guidance asks classifiers of face and of the rest, and none were given; make them with "
        "'cyberhost train classifiers', or choose another guidance."
    )


def _state(scheduler: Any) -> dict[str, Any]:
    return _copied(vars(scheduler))


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """Copy what a step changes in place: lists of earlier predictions."""
    return {name: list(value) if isinstance(value, list) else value for name, value in state.items()}
