"""The layer classes and the attention call that every part of the backbone is built from.

Plain torch here; a host passes its own, so that its offloading, low-precision weights, LoRA and attention
kernels work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

# The order of arguments is the host's: any attention function of ComfyUI fits.
Attention = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def fused_attention(q_NSD: Tensor, k_NTD: Tensor, v_NTD: Tensor, heads: int) -> Tensor:  # noqa: PLR0917
    """Attend with torch's fused kernel: the faster one for sampling.

    Shapes:   queries (N, S, D), keys and values (N, T, D) -> (N, S, D); D is split over the heads
    """
    q, k, v = (_split_heads(x, heads) for x in (q_NSD, k_NTD, v_NTD))
    return nnf.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def matmul_attention(q_NSD: Tensor, k_NTD: Tensor, v_NTD: Tensor, heads: int) -> Tensor:  # noqa: PLR0917
    """Attend by two matrix products: the faster one for training on a CPU, whose fused backward is slow."""
    q, k, v = (_split_heads(x, heads) for x in (q_NSD, k_NTD, v_NTD))
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return (scores.softmax(dim=-1, dtype=scores.dtype) @ v).transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class Ops:
    """What a part may build layers from, and how it attends."""

    Linear: Callable[..., Any] = nn.Linear
    Conv2d: Callable[..., Any] = nn.Conv2d
    GroupNorm: Callable[..., Any] = nn.GroupNorm
    LayerNorm: Callable[..., Any] = nn.LayerNorm
    attention: Attention = fused_attention


TORCH_OPS = Ops()
TRAINING_OPS = Ops(attention=matmul_attention)


def zero_init(layer: Any) -> Any:
    """Zero a layer's weights, so that the part that ends in it changes nothing until it is trained."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


def _split_heads(x_NSD: Tensor, heads: int) -> Tensor:
    return x_NSD.unflatten(-1, (heads, -1)).transpose(1, 2)
