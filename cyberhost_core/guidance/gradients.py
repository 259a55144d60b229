"""Gradients with respect to latents, also from within a sampler that records none."""

from collections.abc import Callable

import torch
from torch import Tensor


def gradient(measure: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Differentiate a number with respect to latents.

    Samplers run without gradients, hosts in inference mode; both are left for as long as it takes. Weights
    and conditions that were made in inference mode cannot be differentiated through: whoever calls this from
    a host makes them outside of it.

    Shapes:   measure: latents (F, C, h, w) -> (); at (F, C, h, w); result the same
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaf = at.detach().clone().requires_grad_()
        (found,) = torch.autograd.grad(measure(leaf), leaf)
    return found
