"""DDIM in plain torch takes the steps that diffusers' scheduler takes."""

from typing import Any

import pytest
import torch
from torch import Tensor

from cyberhost_core.diffusion.ddim import ddim, timesteps
from cyberhost_core.diffusion.schedule import ScheduleSpec


def answered(x: Tensor, timestep: int) -> Tensor:
    """Some smooth function of both."""
    return torch.tanh(x * 0.7 + timestep / 700) - 0.2 * x


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("steps", [1, 4, 20, 50])
def test_the_result_is_diffusers(prediction: Any, steps: int) -> None:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    zero_snr = prediction != "epsilon"
    spec = ScheduleSpec(prediction=prediction, beta_schedule="squaredcos_cap_v2", zero_snr=zero_snr)
    peer = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type=prediction,
        rescale_betas_zero_snr=zero_snr,
        timestep_spacing="trailing",
        clip_sample=False,
    )
    peer.set_timesteps(steps)
    noise = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    x = noise
    for timestep in peer.timesteps:
        x = peer.step(answered(x, int(timestep)), timestep, x).prev_sample
    told: list[int] = []
    found = ddim(noise, answered, spec, steps=steps, tell=told.append)
    assert timesteps(steps) == peer.timesteps.tolist()
    assert torch.allclose(found, x, atol=2e-4, rtol=1e-4)
    assert told == list(range(1, steps + 1))


def test_a_cancel_stops_at_the_next_step() -> None:
    def stop(done: int) -> None:
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        ddim(torch.zeros(2, 3), answered, ScheduleSpec(prediction="sample"), steps=5, tell=stop)
