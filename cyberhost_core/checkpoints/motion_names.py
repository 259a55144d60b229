"""Names of motion modules: AnimateDiff's own, which all public relatives kept, and diffusers' MotionAdapter.

down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.to_q.weight
down_blocks.0.motion_modules.0.transformer_blocks.0.attn1.to_q.weight         diffusers, and ours
"""

import re
from collections.abc import Iterable

import torch
from torch import Tensor

from ..backbone.motion_module import sinusoidal
from ..errors import CheckpointError
from .accounting import Fate
from .sources import Source

_POSITIONS = (".pos_encoder.pe", ".pos_embed.pe")
_ATTENTION = re.compile(r"\.(attention_blocks|norms)\.(\d+)\.")
_ROUNDING = {torch.float32: 1e-4, torch.float16: 1e-3, torch.bfloat16: 1e-2}


def motion_fate(name: str) -> Fate:
    """Say what becomes of a weight of a motion module; its name begins with its block's.

    Positions are left out: they are sinusoids, and a file whose positions are not is refused.
    """
    if is_position(name):
        return Fate((f"denoiser.{name}",), reason="sinusoids, computed anew", check=_check_positions)
    return Fate((f"denoiser.{our_motion_name(name)}",))


def our_motion_name(name: str) -> str:
    """Rename a weight of a motion module; names that are ours already stay."""
    name = name.replace(".temporal_transformer.", ".").replace(".ff_norm.", ".norm3.")
    return _ATTENTION.sub(
        lambda found: f".{'attn' if found[1] == 'attention_blocks' else 'norm'}{int(found[2]) + 1}.", name
    )


def without_wrapper(name: str) -> str:
    """Take off what training in parallel puts before every name."""
    return name.removeprefix("module.")


def is_position(name: str) -> bool:
    """Whether a name is that of a buffer of positions."""
    return name.endswith(_POSITIONS)


def positions_in(sources: Iterable[Source]) -> int | None:
    """How many positions the motion modules of some files know; None where no file says."""
    lengths = {
        info.shape[-2] for source in sources for name, info in source.tensors.items() if is_position(name)
    }
    return min(lengths, default=None)


def _check_positions(positions: Tensor) -> None:
    found = positions.reshape(-1, positions.shape[-1])
    expected = sinusoidal(*found.shape)
    rounding = _ROUNDING.get(found.dtype, max(_ROUNDING.values()))
    if not torch.allclose(found.float(), expected, atol=rounding, rtol=0):
        raise CheckpointError(
            "The positions in the motion modules are no sinusoids (they differ by up to "
            f"{float((found.float() - expected).abs().max()):.3g}), so these weights are of another kind; "
            "give motion modules of AnimateDiff v2 or v3, or of one of the public models."
        )
