"""The spatial transformer: attention inside a frame, to the reference, to image tokens and to sound.

    group norm -> 1x1 conv -> block { the listed layers, each a residual } -> 1x1 conv -> + input

Source: CyberHost section 3.1 (reference features share the self-attention, audio enters by a further
cross-attention); parameter names are diffusers' Transformer2DModel with norm_audio / attn_audio added.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..config import Config
from .attention import CrossAttention, FeedForward
from .conditions import IMAGE_TOKENS, SOUND_TOKENS, Conditions
from .ops import Ops, zero_init
from .site import Site


class SelfAttentionConfig(Config):
    """Self-attention whose keys and values are joined by the reference features."""

    kind: Literal["self_attention"] = "self_attention"


class ReferenceResidualConfig(Config):
    """Reference features added at their own place through a zero-initialised projection.

    A short cut for models too small to learn where to look; the paper has none. See docs/decisions.
    """

    kind: Literal["reference_residual"] = "reference_residual"


class ImageTokensConfig(Config):
    """Cross-attention to tokens of the whole picture (CLIP, face identity)."""

    kind: Literal["image_tokens"] = "image_tokens"
    token_dim: int = 768


class InlineAudioConfig(Config):
    """Cross-attention to the audio tokens of the frame; its output starts at zero."""

    kind: Literal["inline_audio"] = "inline_audio"
    token_dim: int = 768
    scale: float = 1.0


class FeedForwardConfig(Config):
    """The gated feed-forward."""

    kind: Literal["feed_forward"] = "feed_forward"


BlockLayerConfig = Annotated[
    SelfAttentionConfig | ReferenceResidualConfig | ImageTokensConfig | InlineAudioConfig | FeedForwardConfig,
    Field(discriminator="kind"),
]


class SpatialTransformerConfig(Config):
    """One spatial transformer per site, with the layers of its block in order."""

    kind: Literal["spatial_transformer"] = "spatial_transformer"
    heads: int = 8
    layers: tuple[BlockLayerConfig, ...] = (SelfAttentionConfig(), InlineAudioConfig(), FeedForwardConfig())

    @property
    def slot(self) -> str:
        return "attentions"

    @property
    def reads(self) -> frozenset[str]:
        kinds = {layer.kind for layer in self.layers}
        return frozenset(what for kind, what in _READ_BY.items() if kind in kinds)

    def runs_at(self, _site: Site) -> bool:
        return True

    def build(self, site: Site, ops: Ops) -> "SpatialTransformer":
        return SpatialTransformer(self, site=site, ops=ops)


class SpatialTransformer(nn.Module):
    """Run the block over the positions of each frame.

    Shapes:   x (N, C, H, W) -> same
    """

    def __init__(self, config: SpatialTransformerConfig, *, site: Site, ops: Ops) -> None:
        super().__init__()
        self.norm = ops.GroupNorm(site.norm_groups, site.channels, eps=1e-6)
        self.proj_in = ops.Conv2d(site.channels, site.channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(config, site=site, ops=ops)])
        self.proj_out = ops.Conv2d(site.channels, site.channels, 1)

    def forward(self, x_NCHW: Tensor, conditions: Conditions) -> Tensor:
        h = self.proj_in(self.norm(x_NCHW))
        h_NSD = self.transformer_blocks[0](h.flatten(2).transpose(1, 2), conditions)
        return x_NCHW + self.proj_out(h_NSD.transpose(1, 2).unflatten(2, x_NCHW.shape[2:]))


class TransformerBlock(nn.Module):
    """Run the listed layers; their parameters lie flat in this block, under diffusers' names."""

    def __init__(self, config: SpatialTransformerConfig, *, site: Site, ops: Ops) -> None:
        super().__init__()
        place = _Place(config.heads, site, ops)
        self.layers = [_LAYERS[layer.kind](self, layer, place) for layer in config.layers]

    def forward(self, x_NSD: Tensor, conditions: Conditions) -> Tensor:
        for layer in self.layers:
            x_NSD = x_NSD + layer.residual(x_NSD, conditions)
        return x_NSD


@dataclass(frozen=True)
class _Place:
    """Where a layer is built, and of what."""

    heads: int
    site: Site
    ops: Ops

    @property
    def path(self) -> str:
        return self.site.path("attentions")

    def norm(self) -> nn.Module:
        return self.ops.LayerNorm(self.site.channels)

    def attention(self, context_dim: int) -> CrossAttention:
        return CrossAttention(self.site.channels, context_dim=context_dim, heads=self.heads, ops=self.ops)


class _SelfAttention:
    def __init__(self, block: nn.Module, _config: SelfAttentionConfig, place: _Place) -> None:
        self.path = place.path
        self.norm = block.norm1 = place.norm()
        self.attn = block.attn1 = place.attention(place.site.channels)

    def residual(self, x_NSD: Tensor, conditions: Conditions) -> Tensor:
        n = self.norm(x_NSD)
        conditions.taps.put("reference", self.path, n)
        own = self.attn.keys_values(n)
        rows = conditions.reference_rows
        if self.path not in conditions.reference or not any(rows):
            return self.attn.attend(n, *own)
        if all(rows):
            return self.attn.attend(n, *self._extended(own, conditions))
        return self._mixed(n, own, conditions)

    def _mixed(self, n_NSD: Tensor, own: tuple[Tensor, Tensor], conditions: Conditions) -> Tensor:
        # A row without a reference attends to itself only: zeros would still take a share of its softmax.
        out = torch.empty_like(n_NSD, dtype=own[0].dtype)
        extended = self._extended(own, conditions)
        for having, (k, v) in ((True, extended), (False, own)):
            rows = conditions.rows(having=having, device=n_NSD.device)
            out[rows] = self.attn.attend(n_NSD[rows], k[rows], v[rows]).to(out.dtype)
        return out

    def _extended(self, own: tuple[Tensor, Tensor], conditions: Conditions) -> tuple[Tensor, Tensor]:
        features_BSD = conditions.reference[self.path]
        projected = conditions.once_per_clip(
            self.path, "reference", lambda: self.attn.keys_values(features_BSD)
        )
        k, v = (
            torch.cat([x, conditions.per_frame(extra.to(x.dtype))], dim=1)
            for x, extra in zip(own, projected, strict=True)
        )
        return k, v


class _ReferenceResidual:
    def __init__(self, block: nn.Module, _config: ReferenceResidualConfig, place: _Place) -> None:
        self.path, channels = place.path, place.site.channels
        self.project = block.reference_residual = zero_init(place.ops.Linear(channels, channels))

    def residual(self, x_NSD: Tensor, conditions: Conditions) -> Tensor:
        if self.path not in conditions.reference:
            return torch.zeros_like(x_NSD)
        features_BSD = conditions.reference[self.path]
        (added,) = conditions.once_per_clip(self.path, "residual", lambda: (self.project(features_BSD),))
        kept = torch.tensor(conditions.reference_rows, device=x_NSD.device, dtype=added.dtype)
        kept_N = kept.repeat_interleave(conditions.frames)
        return conditions.per_frame(added) * kept_N[:, None, None]


class _ImageTokens:
    def __init__(self, block: nn.Module, config: ImageTokensConfig, place: _Place) -> None:
        self.path = place.path
        self.norm = block.norm2 = place.norm()
        self.attn = block.attn2 = place.attention(config.token_dim)

    def residual(self, x_NSD: Tensor, conditions: Conditions) -> Tensor:
        tokens_BRD = conditions.image_BRD
        k, v = conditions.once_per_clip(self.path, "image", lambda: self.attn.keys_values(tokens_BRD))
        # Queries of all frames of a clip meet the clip's tokens in one product; nothing is repeated.
        n_BSD = self.norm(x_NSD).unflatten(0, (len(tokens_BRD), conditions.frames)).flatten(1, 2)
        return self.attn.attend(n_BSD, k, v).view_as(x_NSD)


class _InlineAudio:
    def __init__(self, block: nn.Module, config: InlineAudioConfig, place: _Place) -> None:
        self.path, self.scale = place.path, config.scale
        self.norm = block.norm_audio = place.norm()
        self.attn = block.attn_audio = place.attention(config.token_dim)
        zero_init(self.attn.to_out)

    def residual(self, x_NSD: Tensor, conditions: Conditions) -> Tensor:
        tokens_NWD = conditions.audio_NWD
        k, v = conditions.once(self.path, "audio", lambda: self.attn.keys_values(tokens_NWD))
        return self.attn.attend(self.norm(x_NSD), k, v) * self.scale


class _FeedForward:
    def __init__(self, block: nn.Module, _config: FeedForwardConfig, place: _Place) -> None:
        self.norm = block.norm3 = place.norm()
        self.ff = block.ff = FeedForward(place.site.channels, ops=place.ops)

    def residual(self, x_NSD: Tensor, _conditions: Conditions) -> Tensor:
        return self.ff(self.norm(x_NSD))


_READ_BY = {"image_tokens": IMAGE_TOKENS, "inline_audio": SOUND_TOKENS}

_LAYERS = {
    "self_attention": _SelfAttention,
    "reference_residual": _ReferenceResidual,
    "image_tokens": _ImageTokens,
    "inline_audio": _InlineAudio,
    "feed_forward": _FeedForward,
}
