"""DDIM without an outside library: for small models that run where only torch is at hand.

noise x_999 -> { prediction -> x0, noise -> x at the next timestep } -> x_0

Source: Song et al. 2020, equation 12 with eta = 0; timesteps spaced as Lin et al. 2023 (table 2, "trailing"),
so that sampling starts where zero SNR was trained.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .schedule import TRAIN_STEPS, NoiseSchedule, ScheduleSpec

Answer = Callable[[Tensor, int], Tensor]  # (x_t, timestep) -> the network's prediction


def timesteps(steps: int) -> list[int]:
    """Space the timesteps evenly from the last one down."""
    return [round(TRAIN_STEPS - number * TRAIN_STEPS / steps) - 1 for number in range(steps)]


def ddim(
    noise: Tensor, answer: Answer, spec: ScheduleSpec, *, steps: int, tell: Callable[[int], object]
) -> Tensor:
    """Sample; tell is called after every step with the steps done, and raises to cancel."""
    schedule, x = NoiseSchedule(spec), noise
    times = timesteps(steps)
    for done, (now, later) in enumerate(zip(times, [*times[1:], None], strict=True), start=1):
        at = torch.tensor([now])
        x0 = schedule.to_x0(answer(x, now)[None], x[None], at)[0]
        if later is None:
            x = x0
        else:
            x = schedule.add_noise(x0[None], schedule.to_noise(x0[None], x[None], at), torch.tensor([later]))[
                0
            ]
        tell(done)
    return x
