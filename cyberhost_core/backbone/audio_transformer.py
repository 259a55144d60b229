"""The audio transformer: a second transformer per site, whose sound is heard by regions of the picture.

    group norm -> 1x1 conv -> block { self-attention; per region: attention to the sound * mask -> gate,
    weighed and summed; feed-forward } -> 1x1 conv -> + input

Source: Hallo (Xu et al. 2024), section 3.3 "hierarchical audio-driven visual synthesis" and its published
code; names are diffusers' Transformer2DModel with audio_attns and audio_gates added.
"""

from collections.abc import Mapping
from typing import Literal, cast

import torch
from torch import Tensor, nn

from ..config import Config
from .attention import CrossAttention, FeedForward
from .conditions import SOUND_MASKS, SOUND_TOKENS, Conditions
from .ops import Ops, zero_init
from .site import Site


class AudioTransformerConfig(Config):
    """One audio transformer per site; regions name the masks of the conditions, in their order.

    widths: inner width at a site ("down_blocks.1.0"), where it is not the site's own.
    """

    kind: Literal["audio_transformer"] = "audio_transformer"
    heads: int = 8
    token_dim: int = 768
    regions: tuple[str, ...] = ("full", "face", "lip")
    widths: Mapping[str, int] = {}

    @property
    def slot(self) -> str:
        return "audio_modules"

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({SOUND_TOKENS, SOUND_MASKS})

    def runs_at(self, _site: Site) -> bool:
        return True

    def build(self, site: Site, ops: Ops) -> "AudioTransformer":
        return AudioTransformer(self, site=site, ops=ops)


class AudioTransformer(nn.Module):
    """Run the block over the positions of each frame.

    Shapes:   x (N, C, H, W) -> same; reads audio tokens (N, T, token_dim) and masks (N, regions, H * W)
    """

    def __init__(self, config: AudioTransformerConfig, *, site: Site, ops: Ops) -> None:
        super().__init__()
        width = config.widths.get(site.name, site.channels)
        self.norm = ops.GroupNorm(site.norm_groups, site.channels, eps=1e-6)
        self.proj_in = ops.Conv2d(site.channels, width, 1)
        self.transformer_blocks = nn.ModuleList([_Block(config, width, site=site, ops=ops)])
        self.proj_out = ops.Conv2d(width, site.channels, 1)

    def forward(self, x_NCHW: Tensor, conditions: Conditions) -> Tensor:
        h = self.proj_in(self.norm(x_NCHW))
        h_NSD = self.transformer_blocks[0](h.flatten(2).transpose(1, 2), conditions)
        return x_NCHW + self.proj_out(h_NSD.transpose(1, 2).unflatten(2, x_NCHW.shape[2:]))


class _Block(nn.Module):
    def __init__(self, config: AudioTransformerConfig, width: int, *, site: Site, ops: Ops) -> None:
        super().__init__()
        self.path, self.stage = site.path(config.slot), site.stage
        self.norm1, self.norm2, self.norm3 = (ops.LayerNorm(width) for _ in range(3))
        self.attn1 = CrossAttention(width, context_dim=width, heads=config.heads, ops=ops)
        self.audio_attns = nn.ModuleList(
            CrossAttention(width, context_dim=config.token_dim, heads=config.heads, ops=ops)
            for _ in config.regions
        )
        self.audio_gates = nn.ModuleList(zero_init(ops.Linear(width, width)) for _ in config.regions)
        self.ff = FeedForward(width, ops=ops)

    def forward(self, x_NSD: Tensor, conditions: Conditions) -> Tensor:
        n = self.norm1(x_NSD)
        x_NSD = x_NSD + self.attn1(n, n)
        x_NSD = x_NSD + self._attended_sound(self.norm2(x_NSD), conditions)
        return x_NSD + self.ff(self.norm3(x_NSD))

    def _attended_sound(self, n_NSD: Tensor, conditions: Conditions) -> Tensor:
        masks_NRS = conditions.masks[self.stage].to(n_NSD.dtype)
        total = torch.zeros_like(n_NSD)
        attns = cast("list[CrossAttention]", self.audio_attns)
        for region, (attn, gate) in enumerate(zip(attns, self.audio_gates, strict=True)):
            k, v = conditions.once(
                self.path, f"audio {region}", lambda attn=attn: attn.keys_values(conditions.audio_NWD)
            )
            # The mask lies before the gate, so the gate's bias reaches every position.
            inside = attn.attend(n_NSD, k, v) * masks_NRS[:, region, :, None]
            total = total + gate(inside) * conditions.region_weights[region]
        return total
