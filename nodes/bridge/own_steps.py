"""A native sampler that goes step by step and asks a guidance for each: for guidance that corrects latents.

x --as a variance-preserving diffusion--> guidance.advance --> the user's sampler over two sigmas --> x

Samplers with a memory of earlier steps are of first order here, because each step is a run of its own.
"""

from collections.abc import Callable
from typing import Any, Protocol

import comfy.samplers
import torch
from torch import Tensor

from ...cyberhost_core.errors import ConfigError
from ...cyberhost_core.guidance.guidance import Guidance
from ...cyberhost_core.guidance.step import Part
from .outside_inference import ordinary, ordinary_weights


class Critics(Protocol):
    """Classifiers that a guidance may ask, and what the host must do for them to be asked."""

    @property
    def network(self) -> torch.nn.Module: ...

    def misfit(  # noqa: PLR0917
        self, part: Part, x_FCHW: Tensor, sigma: Tensor, options: dict
    ) -> Tensor: ...

    def mask(self, part: Part) -> Tensor: ...


def vp_noise(sigma: Tensor) -> float:
    """The host's noise over signal as the sigma_t of a variance-preserving diffusion, 0..1."""
    value = float(sigma.flatten()[0])
    return value / (1 + value**2) ** 0.5


class StepwiseSampler(comfy.samplers.Sampler):
    """Drive another sampler one step at a time; critics: where the guidance asks classifiers."""

    def __init__(self, sampler: Any, guidance: Guidance, critics: Critics | None = None) -> None:
        self.sampler, self.guidance, self.critics = sampler, guidance, critics

    def sample(  # noqa: PLR0917 - the host's signature
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: dict,
        callback: Callable | None,
        noise: Tensor,
        latent_image: Tensor | None = None,
        denoise_mask: Tensor | None = None,
        disable_pbar: bool = False,  # noqa: ARG002 - a bar for every step would be none
    ) -> Tensor:
        sigmas = ordinary(sigmas)
        known = torch.zeros_like(noise) if latent_image is None else latent_image
        scaling = model_wrap.inner_model.model_sampling
        x = scaling.noise_scaling(sigmas[0], noise, known, self.max_denoise(model_wrap, sigmas))
        networks = [model_wrap.inner_model.diffusion_model]
        if self.critics is not None:
            networks.append(self.critics.network)
        with ordinary_weights(*networks):
            for number in range(len(sigmas) - 1):
                if denoise_mask is not None:  # frames that are given stay as they are, with their own noise
                    shown = scaling.noise_scaling(sigmas[number], noise, known, False)
                    x = x * denoise_mask + shown * (1 - denoise_mask)
                step = _HostStep(
                    self.sampler,
                    model_wrap,
                    sigmas,
                    extra_args=extra_args,
                    number=number,
                    callback=callback,
                    critics=self.critics,
                )
                x = step.unscaled(self.guidance.advance(step.scaled(x), step))
        return x if denoise_mask is None else x * denoise_mask + known * (1 - denoise_mask)


class _HostStep:
    """One step, as guidance.step describes it."""

    def __init__(
        self,
        sampler: Any,
        model_wrap: Any,
        sigmas: Tensor,
        *,
        extra_args: dict,
        number: int,
        callback: Callable | None,
        critics: Critics | None,
    ) -> None:
        self.sampler, self.model_wrap, self.extra_args = sampler, model_wrap, extra_args
        self._critics = critics
        self.callback, self.sigmas = callback, sigmas[number : number + 2]
        self.number, self.count, self.noise = number, len(sigmas) - 1, vp_noise(sigmas[number])
        self.signal, self.signal_after = ((1 + float(sigma) ** 2) ** -0.5 for sigma in self.sigmas)

    def scaled(self, x: Tensor) -> Tensor:
        """From the host's latents to those of a variance-preserving diffusion, at the step's start."""
        return x * self.signal

    def unscaled(self, x_FCHW: Tensor) -> Tensor:
        """Back again, at the step's end."""
        return x_FCHW / self.signal_after

    def solve(self, x_FCHW: Tensor) -> Tensor:
        """Run the user's sampler from this sigma to the next."""
        x = x_FCHW / self.signal
        after = self.sampler.sample(
            self.model_wrap,
            self.sigmas,
            dict(self.extra_args),
            self._report,
            torch.zeros_like(x),  # so that the sampler starts from x itself
            x,
            None,
            True,
        )
        return after * self.signal_after

    def clean(self, x_FCHW: Tensor) -> Tensor:
        """Estimate the latents without noise, by the guided prediction."""
        sigma = self.sigmas[0].expand(len(x_FCHW))
        return self.model_wrap(x_FCHW / self.signal, sigma, **self.extra_args)

    def misfit(self, part: Part, x_FCHW: Tensor) -> Tensor:
        """Ask the classifier of a part."""
        options = self.extra_args.get("model_options", {})
        return self._asked().misfit(part, x_FCHW, self.sigmas[0], options)

    def mask(self, part: Part) -> Tensor:
        """Say where a part is."""
        return self._asked().mask(part)

    def _asked(self) -> Critics:
        if self._critics is None:
            raise ConfigError(
                "The checkpoint's guidance asks classifiers of face and of the rest; put Parts Guidance "
                "behind Load CyberHost, which brings them."
            )
        return self._critics

    def _report(self, _step: int, x0: Tensor, x: Tensor, _steps: int) -> None:
        if self.callback is not None:
            self.callback(self.number, x0, x, self.count)
