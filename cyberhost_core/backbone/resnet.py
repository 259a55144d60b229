"""Residual convolutions with a time embedding, and the two layers that change resolution.

Frames are rows, so that group norm takes its statistics per frame (as AnimateDiff and all public relatives
do).
"""

from torch import Tensor, nn
from torch.nn import functional as nnf

from .conditions import Conditions
from .ops import Ops


class ResnetBlock(nn.Module):
    """Convolve twice around the time embedding, with a skip. Source: diffusers ResnetBlock2D, same names."""

    def __init__(
        self, channels_in: int, channels: int, *, embedding_dim: int, norm_groups: int, ops: Ops
    ) -> None:
        super().__init__()
        self.norm1 = ops.GroupNorm(norm_groups, channels_in, eps=1e-5)
        self.conv1 = ops.Conv2d(channels_in, channels, 3, padding=1)
        self.time_emb_proj = ops.Linear(embedding_dim, channels)
        self.norm2 = ops.GroupNorm(norm_groups, channels, eps=1e-5)
        self.conv2 = ops.Conv2d(channels, channels, 3, padding=1)
        if channels_in != channels:
            self.conv_shortcut = ops.Conv2d(channels_in, channels, 1)
        else:
            self.register_module("conv_shortcut", None)

    def forward(self, x_NCHW: Tensor, conditions: Conditions) -> Tensor:
        h = self.conv1(nnf.silu(self.norm1(x_NCHW)))
        h = h + self.time_emb_proj(nnf.silu(conditions.embedding_NE))[:, :, None, None]
        h = self.conv2(nnf.silu(self.norm2(h)))
        skip = x_NCHW if self.conv_shortcut is None else self.conv_shortcut(x_NCHW)
        return skip + h


class Downsample(nn.Module):
    """Halve the resolution by a strided convolution."""

    def __init__(self, channels: int, *, ops: Ops) -> None:
        super().__init__()
        self.conv = ops.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.conv(x_NCHW)


class Upsample(nn.Module):
    """Enlarge to the size of the next skip connection, then convolve."""

    def __init__(self, channels: int, *, ops: Ops) -> None:
        super().__init__()
        self.conv = ops.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x_NCHW: Tensor, size_HW: tuple[int, int]) -> Tensor:
        return self.conv(nnf.interpolate(x_NCHW, size=size_HW, mode="nearest"))
