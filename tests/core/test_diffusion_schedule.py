"""Samplers and noise: every sampler solves every prediction type; a frame's noise is its own."""

import pytest
import torch

from cyberhost_core.diffusion.noise import FrameNoise
from cyberhost_core.diffusion.schedule import SAMPLERS, ScheduleSpec, alpha_bars, make_scheduler
from cyberhost_core.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_finds_the_picture_when_the_prediction_is_perfect(
    prediction: str, sampler: str
) -> None:
    spec = ScheduleSpec(prediction=prediction, sampler=sampler, steps=20)
    scheduler = make_scheduler(spec)
    scheduler.set_timesteps(spec.steps)
    generator = torch.Generator().manual_seed(0)
    picture, noise = (torch.randn(1, 4, 4, 4, generator=generator) for _ in range(2))
    bars = scheduler.alphas_cumprod
    x = noise * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, timestep)
        bar = bars[int(timestep)]
        epsilon = (seen - bar.sqrt() * picture) / (1 - bar).sqrt()
        answers = {
            "epsilon": epsilon,
            "sample": picture,
            "v_prediction": bar.sqrt() * epsilon - (1 - bar).sqrt() * picture,
        }
        x = scheduler.step(answers[prediction], timestep, x).prev_sample
    torch.testing.assert_close(x, picture, atol=0.05, rtol=0.05)


def test_an_unknown_sampler_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"'magic' is not known; choose one of: ddim, dpmpp_2m, euler, unipc\."
    ):
        make_scheduler(ScheduleSpec(sampler="magic"))


def test_predicting_the_noise_of_pure_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="take v_prediction or sample"):
        ScheduleSpec(prediction="epsilon", zero_snr=True)


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("beta_schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_the_schedule_is_the_one_that_diffusers_samples(beta_schedule: str, zero_snr: bool) -> None:
    spec = ScheduleSpec(beta_schedule=beta_schedule, zero_snr=zero_snr, prediction="v_prediction")
    torch.testing.assert_close(
        alpha_bars(spec).float(), make_scheduler(spec).alphas_cumprod, atol=2e-6, rtol=1e-4
    )


def test_noise_belongs_to_the_absolute_frame() -> None:
    whole = FrameNoise(7, (4, 3, 2))(range(30))
    again = FrameNoise(7, (4, 3, 2))
    for frames in (range(10, 22), range(20, 30), range(5, 6), range(3)):  # forward, overlapping, back
        assert torch.equal(again(frames), whole[frames.start : frames.stop])
    assert not torch.equal(whole[0], whole[1])
    assert not torch.equal(FrameNoise(8, (4, 3, 2))(range(30)), whole)


def test_noise_of_neighbouring_seeds_and_frames_is_independent_and_normal() -> None:
    draws = (
        torch.stack([FrameNoise(seed, (4, 16, 16))(range(20)) for seed in range(5)]).flatten(0, 1).flatten(1)
    )
    correlation = torch.corrcoef(draws) - torch.eye(len(draws))
    assert float(correlation.abs().max()) < 5 / draws.shape[1] ** 0.5
    assert float(draws.mean()) == pytest.approx(0, abs=0.02)
    assert float(draws.std()) == pytest.approx(1, abs=0.02)
