"""A system with random weights of ordinary size, straight in a precision on a device.

layers without storage -> each weight drawn where it is needed, never in another precision before
"""

import torch
from torch import Tensor, nn

from ..checkpoints.building import planned
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec


def random_model(spec: SystemSpec, *, dtype: torch.dtype, device: torch.device) -> SystemModel:
    """Build a system that computes as a trained one does, and knows nothing; ready for inference."""
    model = planned(lambda ops: SystemModel(spec, ops=ops))
    for part in model.modules():
        for name, value in list(part.named_parameters(recurse=False)):
            drawn = _draw(name, value.shape, dtype=dtype, device=device)
            setattr(part, name, nn.Parameter(drawn, requires_grad=False))
    return model.to(device).eval()  # what parts compute for themselves moves, too


def _draw(name: str, shape: torch.Size, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Keep what passes through at its size: rows of about unit length, norms that change nothing."""
    if len(shape) > 1:
        return torch.randn(shape, dtype=dtype, device=device) * shape[1:].numel() ** -0.5
    return torch.full(shape, float(name == "weight"), dtype=dtype, device=device)
