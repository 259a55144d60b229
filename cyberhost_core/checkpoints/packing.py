"""Eight-bit storage of weights: one scale per output channel. Loading always gives back floats.

It halves a small bundled file against float16. Vectors, and anything that is not a weight matrix or kernel,
stay as they are.

    weight (O, ...) -> int8 (O, ...) under its own name, float16 scale (O,) under name + "|scale"
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import CheckpointError

SCALE_SUFFIX = "|scale"
SMALLEST_PACKED = 1024  # numbers; below that the saving is not worth the rounding


def pack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Round weights to int8 with a scale per output channel; other floats to float16."""
    packed: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if value.ndim < 2 or value.numel() < SMALLEST_PACKED or not value.is_floating_point():
            packed[name] = value.half() if value.is_floating_point() else value
            continue
        rows = value.float().flatten(1)
        scale = (rows.abs().amax(dim=1) / 127).clamp(min=1e-12).half().clamp(min=6e-8)
        packed[name] = (
            (rows / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).view(value.shape)
        )
        packed[name + SCALE_SUFFIX] = scale
    return packed


def unpack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `pack`; files that were never packed pass through.

    Raises:   CheckpointError: an eight-bit weight without its scale
    """
    plain: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if name.endswith(SCALE_SUFFIX):
            continue
        scale = tensors.get(name + SCALE_SUFFIX)
        if scale is None and value.dtype == torch.int8:
            raise CheckpointError(
                f"The eight-bit weight '{name}' comes without its scale '{name}{SCALE_SUFFIX}'; the file is "
                "damaged or was edited: download or train it again."
            )
        plain[name] = (
            value if scale is None else value.float() * scale.float().view(-1, *[1] * (value.ndim - 1))
        )
    return plain
