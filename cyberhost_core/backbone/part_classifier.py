"""Do a clip's noised latents and its sound belong together? A classifier on half a U-Net.

noised latents, t, conditions -> U-Net's encoder -> strongest value of every channel, frame by frame
   -> a token per frame, and one per frame of sound -> [CLS] + transformer -> MLP -> logit of "in sync"
   -> beside the sound of the same frame -> cosine, over all frames           --> added to it (ours)

Source: PAHA section 4.1.3, equations 4 to 7, figure 4. Reads: docs/decisions/0009.
"""

from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..config import Config, Count
from .attention import CrossAttention, FeedForward
from .conditions import Conditions
from .latents_bank import rope
from .motion_module import sinusoidal
from .ops import Ops
from .unet import UNetConfig, UNetEncoder

_KINDS = 2  # video and sound


class PartClassifierConfig(Config):
    """Sizes; the paper gives none.

    sound: how many numbers of sound a frame brings to the U-Net, tokens times their size. encoder: "own", a
    copy of the denoiser's that hears and is trained with the classifier, as in the paper; "denoiser", the
    denoiser's as it is, told silence, so that what it sees can be compared with any sound: see Agreement.
    rope: what turns by its place: "frames", queries and keys of the transformer by their frame; "volume", the
    U-Net's features by frame, row and column before they are pooled, as equation 4 can also be read.
    """

    unet: UNetConfig
    sound: Count
    width: Count = 512
    heads: Count = 8
    blocks: Count = 4
    encoder: Literal["own", "denoiser"] = "own"
    rope: Literal["frames", "volume"] = "frames"


class Seen(NamedTuple):
    """What of a clip is judged, a row per frame: its pictures, pooled, and its sound, flattened."""

    video_BTC: Tensor
    audio_BTC: Tensor


class PartClassifier(nn.Module):
    """Say how well latents and sound belong together.

    Shapes:   x (B * W * F, C, h, w): B clips of W windows of F frames, W * F frames that follow each other;
              timestep (B * W,); conditions of B * W clips -> logits (B,); denoiser: the checkpoint's, whose
              encoder is asked where the classifier has none of its own
    """

    def __init__(self, config: PartClassifierConfig, *, ops: Ops) -> None:
        super().__init__()
        self.config, width = config, config.width
        if config.encoder == "own":
            self.encoder = UNetEncoder(config.unet, ops=ops)
        else:
            self.agreement = Agreement(config, ops=ops)
        self.video_in = ops.Linear(config.unet.channels[-1], width)
        self.audio_in = ops.Linear(config.sound, width)
        self.kinds = nn.Parameter(0.02 * torch.randn(_KINDS, width))  # E_m
        self.cls = nn.Parameter(0.02 * torch.randn(width))
        self.blocks = nn.ModuleList(_Block(config, ops) for _ in range(config.blocks))
        self.norm = ops.LayerNorm(width)
        self.head = nn.ModuleList([ops.Linear(width, width), ops.Linear(width, 1)])

    def forward(  # noqa: PLR0917 - as a denoiser is called
        self,
        x_NCHW: Tensor,
        timestep_B: Tensor,
        conditions: Conditions,
        denoiser: UNetEncoder,
        *,
        windows: int = 1,
    ) -> Tensor:
        return self.judge(self.look(x_NCHW, timestep_B, conditions, denoiser, windows=windows))

    def look(  # noqa: PLR0917
        self,
        x_NCHW: Tensor,
        timestep_B: Tensor,
        conditions: Conditions,
        denoiser: UNetEncoder,
        *,
        windows: int = 1,
    ) -> Seen:
        """Encode clips; pictures of an encoder of its own have heard the sound already."""
        if self.config.encoder == "own":
            features = self.encoder(x_NCHW, timestep_B, conditions)
        else:
            silent = replace(conditions, audio_NWD=torch.zeros_like(conditions.audio_NWD))
            features = denoiser.encode(x_NCHW, timestep_B, silent)
        clips = conditions.clips // windows
        video_BTC = self._pooled(conditions.without_given(features).unflatten(0, (clips, -1)))
        audio_BTC = conditions.without_given(conditions.audio_NWD).flatten(1).unflatten(0, (clips, -1))
        return Seen(video_BTC, audio_BTC.to(video_BTC.dtype))

    def judge(self, seen: Seen) -> Tensor:
        """Give the logits of clips: that of [CLS], and how well pictures and sound agree."""
        logit_B = self.judge_looks(seen)
        return logit_B if self.config.encoder == "own" else logit_B + self.agreement(*seen)

    def judge_looks(self, seen: Seen) -> Tensor:
        """Equations 4 to 7 from the pooled features on."""
        video_BTD, audio_BTD = self.video_in(seen.video_BTC), self.audio_in(seen.audio_BTC)
        frames = video_BTD.shape[1]
        places = sinusoidal(frames, self.config.width).to(video_BTD)  # E_t
        tokens = torch.cat(
            [
                self.cls.to(video_BTD).expand(len(video_BTD), 1, -1),
                video_BTD + self.kinds[0].to(video_BTD) + places,
                audio_BTD + self.kinds[1].to(video_BTD) + places,
            ],
            dim=1,
        )
        number_T = torch.arange(frames, device=tokens.device)
        index_S = torch.cat([number_T[:1], number_T, number_T]) * (self.config.rope == "frames")
        for block in self.blocks:
            tokens = block(tokens, index_S)
        first, last = self.head
        return last(nnf.gelu(first(self.norm(tokens[:, 0])))).squeeze(-1)

    def _pooled(self, features_BTCHW: Tensor) -> Tensor:
        """Equation 4: global max pooling of every frame."""
        if self.config.rope == "volume":
            features_BTCHW = _turned_in_volume(features_BTCHW)
        return features_BTCHW.amax(dim=(-2, -1))


class Agreement(nn.Module):
    """How alike are a picture and the sound of its moment, over all frames?

    Shapes:   pictures (B, T, C), sounds (B or 1, T, S) -> logits (B,)
    Source:   none: the paper's transformer has to find out for itself which sound belongs to which frame, for
              which small data are not enough. A cosine of both, frame by frame, as Chung and Zisserman, "Out
              of Time", 2016, and Prajwal et al., "A Lip Sync Expert Is All You Need", 2020
    """

    def __init__(self, config: PartClassifierConfig, *, ops: Ops) -> None:
        super().__init__()
        channels = config.unet.channels[-1]
        self.picture = nn.Sequential(ops.LayerNorm(channels), ops.Linear(channels, config.width))
        self.sound = nn.Sequential(ops.LayerNorm(config.sound), ops.Linear(config.sound, config.width))
        self.scale = nn.Parameter(torch.tensor(5.0))
        self.offset = nn.Parameter(torch.tensor(0.0))

    def forward(self, video_BTC: Tensor, audio_BTC: Tensor) -> Tensor:
        alike_BT = (
            self._at_length_1(self.picture, video_BTC) * self._at_length_1(self.sound, audio_BTC)
        ).sum(-1)
        return self.scale.to(alike_BT) * alike_BT.mean(-1) + self.offset.to(alike_BT)

    def among(self, video_BTC: Tensor, audio_BTC: Tensor) -> Tensor:
        """Judge every clip with every clip's sound, from every frame on, the last before the first.

        Shapes:   (B, T, C), (B, T, S) -> (B, B, T) logits of pictures, sounds, how many frames later
        """
        later = torch.arange(video_BTC.shape[1], device=video_BTC.device)
        when_TT = (later[:, None] + later) % len(later)
        sounds = self._at_length_1(self.sound, audio_BTC)[:, when_TT]
        alike_BBT = torch.einsum("itd,jstd->ijs", self._at_length_1(self.picture, video_BTC), sounds)
        return self.scale.to(alike_BBT) * alike_BBT / len(later) + self.offset.to(alike_BBT)

    @staticmethod
    def _at_length_1(layers: nn.Module, x_BTC: Tensor) -> Tensor:
        return nnf.normalize(layers(x_BTC), dim=-1)


class PartClassifiers(nn.Module):
    """Two of one kind: for the face, and for everything else."""

    def __init__(self, config: PartClassifierConfig, *, ops: Ops) -> None:
        super().__init__()
        self.config = config
        self.face = PartClassifier(config, ops=ops)
        self.non_face = PartClassifier(config, ops=ops)

    def of(self, part: Literal["face", "non_face"]) -> PartClassifier:
        """Give the one of a part."""
        return self.face if part == "face" else self.non_face


class _Block(nn.Module):
    def __init__(self, config: PartClassifierConfig, ops: Ops) -> None:
        super().__init__()
        width = config.width
        self.norm1, self.norm2 = ops.LayerNorm(width), ops.LayerNorm(width)
        self.attn = CrossAttention(width, context_dim=width, heads=config.heads, ops=ops)
        self.ff = FeedForward(width, ops=ops)

    def forward(self, x_BSD: Tensor, index_S: Tensor) -> Tensor:
        n, attn = self.norm1(x_BSD), self.attn
        keys, values = attn.keys_values(n)
        queries, keys = (
            rope(part.unflatten(-1, (attn.heads, -1)), index_S[:, None]).flatten(-2)
            for part in (attn.to_q(n), keys)
        )
        x_BSD = x_BSD + attn.to_out[0](attn.attention(queries, keys, values, attn.heads))
        return x_BSD + self.ff(self.norm2(x_BSD))


def _turned_in_volume(features_BTCHW: Tensor) -> Tensor:
    """Turn a third of the channels by the frame, one by the row, one by the column."""
    _, frames, channels, height, width = features_BTCHW.shape
    x = features_BTCHW.permute(0, 1, 3, 4, 2)
    share = channels // 6 * 2
    *thirds, rest = x.split([share, share, share, channels - 3 * share], dim=-1)
    places = torch.meshgrid(
        *(torch.arange(size, device=x.device) for size in (frames, height, width)), indexing="ij"
    )
    turned = [rope(third, where) for third, where in zip(thirds, places, strict=True)]
    return torch.cat([*turned, rest], dim=-1).permute(0, 1, 4, 2, 3)
