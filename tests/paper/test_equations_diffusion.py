"""Equation 1 of CyberHost, what is predicted, and the dual guidance of appendix E, written as loops."""

import math

import numpy as np
import pytest
import torch

from cyberhost_core.diffusion.schedule import NoiseSchedule, ScheduleSpec
from cyberhost_core.guidance.dual import DualGuidance

PREDICTIONS = ("epsilon", "sample", "v_prediction")


@pytest.mark.parametrize(("reference_scale", "audio_scale"), [(2.5, 4.5), (1.0, 3.0), (2.0, 2.0), (3.0, 0.0)])
def test_dual_guidance_goes_from_null_to_reference_to_sound(
    reference_scale: float, audio_scale: float
) -> None:
    e = dict(zip(("null", "reference", "full"), np.random.default_rng(8).normal(size=(3, 4)), strict=True))
    guidance = DualGuidance(reference_scale=reference_scale, audio_scale=audio_scale)
    guided = guidance.combine({seen: torch.from_numpy(e[seen.name]) for seen in guidance.weights()}, 1.0)
    for i in range(4):
        expected = (
            e["null"][i]
            + reference_scale * (e["reference"][i] - e["null"][i])
            + audio_scale * (e["full"][i] - e["reference"][i])
        )
        assert float(guided[i]) == pytest.approx(expected)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_each_prediction_type_gives_the_clean_latents_back(prediction: str) -> None:
    schedule = NoiseSchedule(ScheduleSpec(prediction=prediction))
    x0, noise, timestep = random(3, 2, 2), random(3, 2, 2, seed=1), torch.tensor([0, 400, 900])
    x_t = schedule.add_noise(x0, noise, timestep)
    answer = schedule.target(x0, noise, timestep)
    torch.testing.assert_close(schedule.to_x0(answer, x_t, timestep), x0, atol=1e-4, rtol=1e-4)


def test_the_target_is_the_noise_or_the_picture_or_the_velocity_between_them() -> None:
    x0, noise, timestep = random(2, 3), random(2, 3, seed=1), torch.tensor([100, 700])
    bars = alpha_bars_by_loops(0.00085, 0.012)
    velocity = np.zeros((2, 3))
    for row, i in np.ndindex(2, 3):
        bar = bars[timestep[row]]
        velocity[row, i] = math.sqrt(bar) * noise[row, i] - math.sqrt(1 - bar) * x0[row, i]
    targets = {p: NoiseSchedule(ScheduleSpec(prediction=p)).target(x0, noise, timestep) for p in PREDICTIONS}
    assert torch.equal(targets["epsilon"], noise)
    assert torch.equal(targets["sample"], x0)
    np.testing.assert_allclose(targets["v_prediction"].numpy(), velocity, atol=1e-4)


def test_noise_is_added_as_the_product_of_the_steps_says() -> None:
    x0, noise, timestep = random(3, 2, 2), random(3, 2, 2, seed=1), torch.tensor([0, 499, 999])
    bars = alpha_bars_by_loops(0.00085, 0.012)
    noised = NoiseSchedule(ScheduleSpec()).add_noise(x0, noise, timestep)
    for row, i, j in np.ndindex(3, 2, 2):
        bar = bars[timestep[row]]
        expected = math.sqrt(bar) * x0[row, i, j] + math.sqrt(1 - bar) * noise[row, i, j]
        assert float(noised[row, i, j]) == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize("beta_schedule", ["scaled_linear", "squaredcos_cap_v2", "linear"])
def test_zero_terminal_snr_ends_in_pure_noise_and_starts_as_before(beta_schedule: str) -> None:
    plain = NoiseSchedule(ScheduleSpec(beta_schedule=beta_schedule))
    zero = NoiseSchedule(ScheduleSpec(beta_schedule=beta_schedule, zero_snr=True, prediction="v_prediction"))
    assert zero.alpha[999] == 0
    assert zero.sigma[999] == 1
    assert plain.alpha[999] > 0
    assert float(zero.alpha[0]) == pytest.approx(float(plain.alpha[0]), abs=1e-6)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def alpha_bars_by_loops(first: float, last: float) -> list[float]:
    """Stable Diffusion's schedule: the square root of beta rises linearly."""
    bars, product = [], 1.0
    for step in range(1000):
        root = math.sqrt(first) + step / 999 * (math.sqrt(last) - math.sqrt(first))
        product *= 1 - root**2
        bars.append(product)
    return bars
