"""The U-Net: blocks of sites, at each site the layers that the system lists.

    conv_in -> + map -> down blocks -> mid block -> up blocks -> norm, silu, conv_out

Source: Stable Diffusion's U-Net with diffusers' names; CyberHost section 3.1 adds what the layers add. The
same class, with only spatial transformers listed, is the ReferenceNet.
"""

from collections.abc import Iterator
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..config import Config
from .audio_transformer import AudioTransformerConfig
from .conditions import Conditions
from .embeddings import TimeEmbedding
from .motion_module import MotionModuleConfig
from .ops import Ops
from .region_attention import RegionAttentionConfig
from .resnet import Downsample, ResnetBlock, Upsample
from .site import Site
from .transformer import SpatialTransformerConfig

SiteLayerConfig = Annotated[
    SpatialTransformerConfig | AudioTransformerConfig | RegionAttentionConfig | MotionModuleConfig,
    Field(discriminator="kind"),
]


class UNetConfig(Config):
    """Sizes of the U-Net, and the layers at its sites in the order in which they run."""

    latent_channels: int = 4
    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    attention_stages: tuple[bool, ...] = (True, True, True, False)
    resnets_per_stage: int = 2
    norm_groups: int = 32
    layers: tuple[SiteLayerConfig, ...] = (SpatialTransformerConfig(),)
    plain_layers: tuple[SiteLayerConfig, ...] = ()  # at the sites of stages without attention

    @property
    def embedding_dim(self) -> int:
        return 4 * self.channels[0]

    @property
    def reads(self) -> frozenset[str]:
        """What its layers cannot do without, in the words of `conditions`."""
        return frozenset().union(*(layer.reads for layer in (*self.layers, *self.plain_layers)))

    def without(self, *kinds: str) -> "UNetConfig":
        """The same U-Net with some kinds of layers left out."""

        def keep(layers: tuple[SiteLayerConfig, ...]) -> tuple[SiteLayerConfig, ...]:
            return tuple(layer for layer in layers if layer.kind not in kinds)

        return self.derive(layers=keep(self.layers), plain_layers=keep(self.plain_layers))


class UNetEncoder(nn.Module):
    """The way down and the coarsest resolution: what half a U-Net makes of noised latents.

    Frames that the conditions give clean stand before the sampled ones inside, and not in x.

    Shapes:   x (B * F, C, h, w), timestep (B,) -> features of all frames at the coarsest resolution
    """

    def __init__(self, config: UNetConfig, *, ops: Ops) -> None:
        super().__init__()
        self.config = config
        first, stages = config.channels[0], len(config.channels)
        self.conv_in = ops.Conv2d(config.latent_channels, first, 3, padding=1)
        self.time_embedding = TimeEmbedding(first, config.embedding_dim, ops=ops)
        down, _ = _plan(config)
        self.down_blocks = nn.ModuleList(
            Block(
                config,
                f"down_blocks.{i}",
                stage=i,
                widths_in=down[i],
                resize=Downsample if i < stages - 1 else None,
                ops=ops,
            )
            for i in range(stages)
        )
        self.mid_block = MidBlock(config, ops=ops)

    def forward(self, x_NCHW: Tensor, timestep_B: Tensor, conditions: Conditions) -> Tensor:
        return self.encode(x_NCHW, timestep_B, conditions)

    def encode(self, x_NCHW: Tensor, timestep_B: Tensor, conditions: Conditions) -> Tensor:
        """Run the way down; a whole U-Net lends it under this name."""
        return self.mid_block(*self._down(x_NCHW, timestep_B, conditions, skips=[]))

    def _down(
        self, x_NCHW: Tensor, timestep_B: Tensor, conditions: Conditions, *, skips: list[Tensor]
    ) -> tuple[Tensor, Conditions]:
        """Run downwards, filling skips; the conditions come back with this step's embedding."""
        embedding = self._time(timestep_B, conditions, dtype=x_NCHW.dtype)
        conditions = conditions.with_embedding(embedding + conditions.time_NE.to(embedding.dtype))
        h = self.conv_in(conditions.with_given(x_NCHW))
        h = h + conditions.map_NCHW.to(h.dtype)
        skips.append(h)
        for block in cast("list[Block]", self.down_blocks):
            h = block.down(h, skips, conditions)
        return h, conditions

    def _time(self, timestep_B: Tensor, conditions: Conditions, *, dtype: torch.dtype) -> Tensor:
        """Embed every frame's timestep, (N, E): the clip's, or 0 for frames that are given clean."""
        sampled = self.time_embedding(timestep_B, dtype).repeat_interleave(conditions.sampled_frames, dim=0)
        given = conditions.frames - conditions.sampled_frames
        if not given:
            return sampled
        clean = self.time_embedding(torch.zeros_like(timestep_B), dtype)[:, None].expand(-1, given, -1)
        return torch.cat([clean, sampled.unflatten(0, (conditions.clips, -1))], dim=1).flatten(0, 1)


class UNet(UNetEncoder):
    """Predict from noised latents, a timestep and conditions.

    Shapes:   x (B * F, C, h, w), timestep (B,) -> (B * F, C, h, w)
    """

    def __init__(self, config: UNetConfig, *, ops: Ops, has_output: bool = True) -> None:
        super().__init__(config, ops=ops)
        first, stages = config.channels[0], len(config.channels)
        _, up = _plan(config)
        self.up_blocks = nn.ModuleList(
            Block(
                config,
                f"up_blocks.{i}",
                stage=stages - 1 - i,
                widths_in=up[i],
                resize=Upsample if i < stages - 1 else None,
                ops=ops,
            )
            for i in range(stages)
        )
        self.output = has_output
        if has_output:
            self.conv_norm_out = ops.GroupNorm(config.norm_groups, first, eps=1e-5)
            self.conv_out = ops.Conv2d(first, config.latent_channels, 3, padding=1)

    def forward(self, x_NCHW: Tensor, timestep_B: Tensor, conditions: Conditions) -> Tensor:
        skips: list[Tensor] = []
        h, conditions = self._down(x_NCHW, timestep_B, conditions, skips=skips)
        h = self.mid_block(h, conditions)
        for block in cast("list[Block]", self.up_blocks):
            h = block.up(h, skips, conditions)
        return conditions.without_given(self.conv_out(nnf.silu(self.conv_norm_out(h)))) if self.output else h

    def site_layers(self) -> Iterator[nn.Module]:
        """Give everything that runs at sites, the resnets too."""
        for block in cast("list[Block]", (*self.down_blocks, self.mid_block, *self.up_blocks)):
            for slot in ("resnets", *block.order):
                yield from getattr(block, slot).children()


class Block(nn.Module):
    """One resolution of the way down or up: per site a resnet and the listed layers, then a resize."""

    downsamplers: nn.ModuleList
    upsamplers: nn.ModuleList

    def __init__(
        self,
        config: UNetConfig,
        path: str,
        *,
        stage: int,
        widths_in: list[int],
        resize: type[Downsample] | type[Upsample] | None,
        ops: Ops,
    ) -> None:
        super().__init__()
        channels = config.channels[stage]
        listed = config.layers if config.attention_stages[stage] else config.plain_layers
        self.resnets = nn.ModuleList(_resnet(config, width, channels, ops=ops) for width in widths_in)
        self.order = _attach(self, config, path, stage=stage, count=len(widths_in), listed=listed, ops=ops)
        slot = "downsamplers" if resize is Downsample else "upsamplers"
        self.resize = resize and slot
        if resize:
            self.add_module(slot, nn.ModuleList([resize(channels, ops=ops)]))

    def down(self, h: Tensor, skips: list[Tensor], conditions: Conditions) -> Tensor:
        """Run downwards, keeping a skip connection after every site and after the stride."""
        for index, resnet in enumerate(self.resnets):
            h = _run(self, index, resnet(h, conditions), conditions=conditions)
            skips.append(h)
        if self.resize:
            h = self.downsamplers[0](h)
            skips.append(h)
        return h

    def up(self, h: Tensor, skips: list[Tensor], conditions: Conditions) -> Tensor:
        """Run upwards, taking back one skip connection per site."""
        for index, resnet in enumerate(self.resnets):
            h = _run(
                self, index, resnet(torch.cat([h, skips.pop()], dim=1), conditions), conditions=conditions
            )
        if self.resize:
            h = self.upsamplers[0](h, tuple(skips[-1].shape[2:]))
        return h


class MidBlock(nn.Module):
    """The coarsest resolution: resnet, the listed layers, resnet."""

    def __init__(self, config: UNetConfig, *, ops: Ops) -> None:
        super().__init__()
        channels = config.channels[-1]
        self.resnets = nn.ModuleList(_resnet(config, channels, channels, ops=ops) for _ in range(2))
        self.order = _attach(
            self, config, "mid_block", stage=len(config.channels) - 1, count=1, listed=config.layers, ops=ops
        )

    def forward(self, h: Tensor, conditions: Conditions) -> Tensor:
        h = _run(self, 0, self.resnets[0](h, conditions), conditions=conditions)
        return self.resnets[1](h, conditions)


def sites(config: UNetConfig) -> list[Site]:
    """List the sites that carry the full list of layers, in the order in which they run."""
    down, up = _plan(config)
    last = len(config.channels) - 1
    places = [(f"down_blocks.{i}", i, len(widths)) for i, widths in enumerate(down)]
    places.append(("mid_block", last, 1))
    places += [(f"up_blocks.{i}", last - i, len(widths)) for i, widths in enumerate(up)]
    return [
        site
        for path, stage, count in places
        if path == "mid_block" or config.attention_stages[stage]
        for site in _sites(config, path, stage=stage, count=count)
    ]


def _plan(config: UNetConfig) -> tuple[list[list[int]], list[list[int]]]:
    """Input widths of every resnet: on the way up each also takes the skip that the way down left."""
    down, skips, width = [], [config.channels[0]], config.channels[0]
    for stage, channels in enumerate(config.channels):
        down.append([width] + [channels] * (config.resnets_per_stage - 1))
        skips += [channels] * (config.resnets_per_stage + (stage < len(config.channels) - 1))
        width = channels
    up = []
    for channels in reversed(config.channels):
        widths = []
        for _ in range(config.resnets_per_stage + 1):
            widths.append(width + skips.pop())
            width = channels
        up.append(widths)
    return down, up


def _resnet(config: UNetConfig, channels_in: int, channels: int, *, ops: Ops) -> ResnetBlock:
    return ResnetBlock(
        channels_in, channels, embedding_dim=config.embedding_dim, norm_groups=config.norm_groups, ops=ops
    )


def _sites(config: UNetConfig, path: str, *, stage: int, count: int) -> list[Site]:
    return [
        Site(
            block=path,
            index=index,
            stage=stage,
            channels=config.channels[stage],
            embedding_dim=config.embedding_dim,
            norm_groups=config.norm_groups,
        )
        for index in range(count)
    ]


def _attach(
    block: nn.Module,
    config: UNetConfig,
    path: str,
    *,
    stage: int,
    count: int,
    listed: tuple[SiteLayerConfig, ...],
    ops: Ops,
) -> tuple[str, ...]:
    """Build the listed layers into the block, per slot a dictionary by site number; return the slots."""
    for layer in listed:
        built = {
            str(site.index): layer.build(site, ops)
            for site in _sites(config, path, stage=stage, count=count)
            if layer.runs_at(site)
        }
        if built:
            block.add_module(layer.slot, nn.ModuleDict(built))
    return tuple(layer.slot for layer in listed if hasattr(block, layer.slot))


def _run(block: nn.Module, index: int, h: Tensor, *, conditions: Conditions) -> Tensor:
    """Run the layers of one site in order; a layer that is not listed for this site is not there."""
    for slot in block.order:  # type: ignore[union-attr]
        layers = getattr(block, slot)
        if str(index) in layers:
            h = layers[str(index)](h, conditions)
    return h
