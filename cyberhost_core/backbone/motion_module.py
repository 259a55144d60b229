"""The motion module: attention over time at every position, with frames of the previous segment in front.

    [M motion frames | F frames] -> group norm per frame -> linear -> { attention, attention, feed-forward }
    -> linear -> drop the M -> + input

Source: AnimateDiff v2 (layout and names as diffusers writes them); CyberHost section 3.1 (motion features
join the latent features "in the temporal dimension to share the temporal module").
Reads:    the motion features are the ReferenceNet's norm1 outputs at the same site, as in Hallo; the sampled
          frames keep their positions whether or not anything stands before them, motion frames or frames that
          are given clean, so that the first segment is not a special case for them.
Departs:  from diffusers' AnimateDiff port, whose group norm pools over frames; ours is per frame, as the
          original's.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ..config import Config
from .attention import CrossAttention, FeedForward
from .conditions import Conditions
from .ops import Ops, zero_init
from .site import Site


class MotionModuleConfig(Config):
    """One motion module per site; first_position: of the first sampled frame, so many may stand before it."""

    kind: Literal["motion_module"] = "motion_module"
    heads: int = 8
    positions: int = 32
    first_position: int = 4
    norm_groups: int | None = None  # None: as many as the U-Net's other norms have

    @property
    def slot(self) -> str:
        return "motion_modules"

    @property
    def reads(self) -> frozenset[str]:
        return frozenset()  # frames before are not needed: the first segment has none

    def runs_at(self, _site: Site) -> bool:
        return True

    def build(self, site: Site, ops: Ops) -> "MotionModule":
        return MotionModule(self, site=site, ops=ops)


class MotionModule(nn.Module):
    """Attend over the frames of a clip, separately at each position.

    Shapes:   x (B * F, C, H, W) -> same; motion features (B, M, H * W, C)
    """

    def __init__(self, config: MotionModuleConfig, *, site: Site, ops: Ops) -> None:
        super().__init__()
        self.source = site.path("attentions")
        self.first_position = config.first_position
        self.norm = ops.GroupNorm(config.norm_groups or site.norm_groups, site.channels, eps=1e-6)
        self.proj_in = ops.Linear(site.channels, site.channels)
        self.transformer_blocks = nn.ModuleList([_TemporalBlock(config, site.channels, ops)])
        self.proj_out = zero_init(ops.Linear(site.channels, site.channels))

    def forward(self, x_NCHW: Tensor, conditions: Conditions) -> Tensor:
        clips, size = len(x_NCHW) // conditions.frames, x_NCHW.shape[2:]
        x_BFCHW = x_NCHW.unflatten(0, (clips, conditions.frames))
        motion_frames, given = 0, conditions.frames - conditions.sampled_frames
        if self.source in conditions.motion:
            motion = conditions.motion[self.source]
            motion_frames = motion.shape[1]
            motion_BMCHW = motion.transpose(2, 3).unflatten(3, size).to(x_NCHW.dtype)
            x_BFCHW = torch.cat([motion_BMCHW, x_BFCHW], dim=1)
        h = self.norm(x_BFCHW.flatten(0, 1)).unflatten(0, (clips, -1))
        h_NFD = (
            h.flatten(3).permute(0, 3, 1, 2).flatten(0, 1)
        )  # one sequence of frames per position of a clip
        h_NFD = self.transformer_blocks[0](
            self.proj_in(h_NFD), start=self.first_position - motion_frames - given
        )
        h_NFD = self.proj_out(h_NFD[:, motion_frames:])
        h = h_NFD.unflatten(0, (clips, -1)).permute(0, 2, 3, 1).unflatten(3, size)
        return x_NCHW + h.flatten(0, 1)


class _TemporalBlock(nn.Module):
    positions: Tensor

    def __init__(self, config: MotionModuleConfig, width: int, ops: Ops) -> None:
        super().__init__()
        self.norm1 = ops.LayerNorm(width)
        self.attn1 = CrossAttention(width, context_dim=width, heads=config.heads, ops=ops)
        self.norm2 = ops.LayerNorm(width)
        self.attn2 = CrossAttention(width, context_dim=width, heads=config.heads, ops=ops)
        self.norm3 = ops.LayerNorm(width)
        self.ff = FeedForward(width, ops=ops)
        self.register_buffer("positions", sinusoidal(config.positions, width), persistent=False)

    def forward(self, x_NFD: Tensor, *, start: int) -> Tensor:
        positions = self.positions[start : start + x_NFD.shape[1]].to(x_NFD)
        for norm, attn in ((self.norm1, self.attn1), (self.norm2, self.attn2)):
            n = norm(x_NFD) + positions
            x_NFD = x_NFD + attn(n, n)
        return x_NFD + self.ff(self.norm3(x_NFD))


def sinusoidal(length: int, width: int) -> Tensor:
    """Build sinusoidal positions with sines and cosines interleaved, (length, width). Source: AnimateDiff."""
    angle = torch.arange(length)[:, None] * torch.exp(
        torch.arange(0, width, 2) * (-math.log(10000.0) / width)
    )
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width]
