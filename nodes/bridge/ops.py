"""ComfyUI's layers and attention for the core's backbone.

Layers built from these can be offloaded, patched by a LoRA and cast by the host.
"""

from functools import partial
from typing import Any

import torch
from comfy.ldm.modules.attention import optimized_attention

from ...cyberhost_core.backbone.ops import Ops


def host_ops(operations: Any, *, dtype: torch.dtype | None, device: torch.device | None) -> Ops:
    """Wrap a class of ComfyUI operations; every layer is born with this dtype on this device."""

    def made_by(layer: Any) -> Any:
        return partial(layer, dtype=dtype, device=device)

    return Ops(
        Linear=made_by(operations.Linear),
        Conv2d=made_by(operations.Conv2d),
        GroupNorm=made_by(operations.GroupNorm),
        LayerNorm=made_by(operations.LayerNorm),
        attention=_attention,
    )


def _attention(  # noqa: PLR0917 - the host's order
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int
) -> torch.Tensor:
    return optimized_attention(q, k, v, heads)
