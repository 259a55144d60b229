"""Noise schedules and prediction types: what the network is asked for, and how noise is added.

    x_t = alpha_t x_0 + sigma_t noise        (alpha_t^2 + sigma_t^2 = 1)
    epsilon: the noise    sample: x_0    v_prediction: alpha_t noise - sigma_t x_0

Schedulers are diffusers'; this file only builds them from a ScheduleSpec and converts predictions.
Source: CyberHost equation 1 (epsilon); zero terminal SNR and v prediction after Lin et al. 2023, as the
public relatives use.
"""

import math
from typing import Any, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from ..config import Config
from ..errors import ConfigError

TRAIN_STEPS = 1000
SAMPLERS = ("ddim", "dpmpp_2m", "euler", "unipc")


class ScheduleSpec(Config):
    """Noise schedule and prediction type: properties of the weights.

    spacing: which training steps a sampler visits, counted from the noisy end or from the clean one; None:
    from the noisy end where the last step is noise alone. steps_offset: added to those counted from the clean
    end.
    """

    prediction: Literal["epsilon", "sample", "v_prediction"] = "epsilon"
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "scaled_linear"
    beta_start: float = 0.00085
    beta_end: float = 0.012
    zero_snr: bool = False
    spacing: Literal["trailing", "leading"] | None = None
    steps_offset: int = 0
    sampler: str = "ddim"
    steps: int = 25

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if self.zero_snr and self.prediction == "epsilon":
            raise ValueError(
                "with zero_snr the last step is noise alone, from which a predicted noise says nothing; "
                "take v_prediction or sample"
            )
        return self


class NoiseSchedule:
    """Give alpha_t and sigma_t, add noise, and convert predictions.

    Shapes:   timestep_B (B,) long in 0..999; alpha_B, sigma_B (B,)
    """

    def __init__(self, spec: ScheduleSpec) -> None:
        self.prediction = spec.prediction
        bars = alpha_bars(spec)
        self.alpha, self.sigma = bars.sqrt().float(), (1 - bars).sqrt().float()

    def add_noise(self, x0: Tensor, noise: Tensor, timestep_B: Tensor) -> Tensor:
        """Diffuse clean latents; the leading axis of x0 is that of the timesteps."""
        alpha, sigma = self._at(timestep_B, like=x0)
        return alpha * x0 + sigma * noise

    def target(self, x0: Tensor, noise: Tensor, timestep_B: Tensor) -> Tensor:
        """What the network should answer."""
        alpha, sigma = self._at(timestep_B, like=x0)
        return {"epsilon": noise, "sample": x0, "v_prediction": alpha * noise - sigma * x0}[self.prediction]

    def to_x0(self, prediction: Tensor, x_t: Tensor, timestep_B: Tensor) -> Tensor:
        """Solve the network's answer for the clean latents."""
        alpha, sigma = self._at(timestep_B, like=x_t)
        if self.prediction == "epsilon":
            return (x_t - sigma * prediction) / alpha
        return prediction if self.prediction == "sample" else alpha * x_t - sigma * prediction

    def to_noise(self, x0: Tensor, x_t: Tensor, timestep_B: Tensor) -> Tensor:
        """Give the noise that leads from x0 to x_t."""
        alpha, sigma = self._at(timestep_B, like=x_t)
        return (x_t - alpha * x0) / sigma

    def _at(self, timestep_B: Tensor, *, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1,) + (1,) * (like.ndim - 1)
        timestep_B = timestep_B.cpu()
        alpha_B, sigma_B = (table[timestep_B].view(shape) for table in (self.alpha, self.sigma))
        return alpha_B.to(like.device), sigma_B.to(like.device)


def alpha_bars(spec: ScheduleSpec) -> Tensor:
    """Give alpha_t^2 for every training step.

    Shapes:   (1000,) float64; with zero_snr the last one is 0
    Source:   DDPM; "scaled_linear" is Stable Diffusion's, "squaredcos_cap_v2" Nichol and Dhariwal's cosine;
              zero_snr: Lin et al. 2023, algorithm 1
    """
    step = torch.arange(TRAIN_STEPS + 1, dtype=torch.float64)
    if spec.beta_schedule == "squaredcos_cap_v2":
        cosine = torch.cos((step / TRAIN_STEPS + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = (1 - cosine[1:] / cosine[:-1]).clamp(max=0.999)
    elif spec.beta_schedule == "scaled_linear":
        betas = (
            torch.linspace(spec.beta_start**0.5, spec.beta_end**0.5, TRAIN_STEPS, dtype=torch.float64) ** 2
        )
    else:
        betas = torch.linspace(spec.beta_start, spec.beta_end, TRAIN_STEPS, dtype=torch.float64)
    bars = torch.cumprod(1 - betas, dim=0)
    if not spec.zero_snr:
        return bars
    roots = bars.sqrt()
    return ((roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])) ** 2


def make_scheduler(spec: ScheduleSpec) -> Any:
    """Build the diffusers scheduler that samples for this schedule.

    Raises:   ConfigError: the sampler is not one of SAMPLERS
    """
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    shared: dict[str, Any] = {
        "num_train_timesteps": TRAIN_STEPS,
        "beta_start": spec.beta_start,
        "beta_end": spec.beta_end,
        "beta_schedule": spec.beta_schedule,
        "prediction_type": spec.prediction,
        "rescale_betas_zero_snr": spec.zero_snr,
        "timestep_spacing": spec.spacing or ("trailing" if spec.zero_snr else "leading"),
        "steps_offset": spec.steps_offset,
    }
    makers = {
        "ddim": lambda: DDIMScheduler(**shared, clip_sample=False, set_alpha_to_one=True),
        "dpmpp_2m": lambda: DPMSolverMultistepScheduler(**shared),
        "euler": lambda: EulerDiscreteScheduler(**shared),
        "unipc": lambda: UniPCMultistepScheduler(**shared),
    }
    if spec.sampler not in makers:
        raise ConfigError(f"The sampler '{spec.sampler}' is not known; choose one of: {', '.join(SAMPLERS)}.")
    return makers[spec.sampler]()
