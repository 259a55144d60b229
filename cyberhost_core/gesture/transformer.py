"""Stage 1 of EMO2: a diffusion transformer that predicts hand motion from a voice.

    [12 frames before | noisy frames] -> linear, + hand masks, + body offset, + each frame's own sound
       -> blocks { self-attention; attention to the voice; feed-forward }, all scaled by AdaLN-single
       -> norm -> linear -> prediction of the noisy frames
    timestep, style, amplitude of each hand, reference picture -> one vector -> AdaLN-single

Source: EMO2 sections 3.3 and 4.1 (24 blocks of width 512, 134 parameters, 300 frames, 12 before);
PixArt-alpha (Chen et al. 2023), section 2.3, for AdaLN-single.
Reads:    frames before and noisy frames are one sequence, told apart by an embedding; places in time are
          rotary (Su et al. 2021) and the same for voice and motion, so that only distances count and any
          length will do; a frame's own sound is added to it, besides the attention to all sounds, which alone
          takes long to find it; embeddings of style, amplitude and picture are added to that of the timestep,
          and the sum drives AdaLN.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..backbone.attention import CrossAttention, FeedForward
from ..backbone.embeddings import TimeEmbedding
from ..backbone.ops import TORCH_OPS, Ops, zero_init
from ..config import Config

HAND_VECTOR = 134  # both hands: 16 quaternions and a translation each
_SLOWEST = 1000.0  # the slowest pair of rotary features turns once in 2 pi times as many frames


class AmplitudeBuckets(Config):
    """Centres and radii of the buckets that a hand's amplitude is told by.

    Units:    standard deviation of the wrist's place over a clip, in fractions of the picture
    Source:   EMO's speed buckets (Tian et al. 2024), on amplitude as EMO2 section 3.3 prefers
    """

    centres: tuple[float, ...] = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2)
    radii: tuple[float, ...] = (0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.03, 0.03, 0.04)

    def encode(self, amplitudes_BH: Tensor) -> Tensor:
        """Tell how far an amplitude lies from every bucket's centre, (B, 2) -> (B, 2 * buckets).

        NaN, an amplitude that is not told, gives zeros.
        """
        centres = torch.tensor(self.centres, device=amplitudes_BH.device)
        radii = torch.tensor(self.radii, device=amplitudes_BH.device)
        return torch.tanh(3 * (amplitudes_BH[..., None] - centres) / radii).nan_to_num(0.0).flatten(1)


class GestureConfig(Config):
    """Sizes of the transformer, and what may be told to it.

    vector: numbers per frame of the motion, see forms; audio_dim: numbers per frame of the voice's features;
    image_dim: of a picture's embedding, 0: never given; offset_dim: of the body's place and turn, 0: never
    given; frames: of one sequence in sampling, any in training
    """

    vector: int = HAND_VECTOR
    width: int = 512
    blocks: int = 24
    heads: int = 8
    frames: int = 300
    frames_before: int = 12
    audio_dim: int = 10752
    styles: tuple[str, ...] = ("speaking", "singing", "dance")
    buckets: AmplitudeBuckets = AmplitudeBuckets()
    image_dim: int = 768
    offset_dim: int = 0


class GestureTransformer(nn.Module):
    """Predict hand motion of one clip from its noisy version.

    Shapes:   see forward
    """

    def __init__(self, config: GestureConfig, *, ops: Ops = TORCH_OPS) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.motion_in = ops.Linear(config.vector, width)
        self.mask_in = ops.Linear(2, width)
        self.offset_in = zero_init(ops.Linear(config.offset_dim, width)) if config.offset_dim else None
        self.before = nn.Parameter(0.02 * torch.randn(width))
        self.audio_in = ops.Linear(config.audio_dim, width)
        self.audio_norm = ops.LayerNorm(width)
        self.time = TimeEmbedding(256, width, ops=ops)
        self.style = nn.Parameter(0.02 * torch.randn(len(config.styles), width))
        self.amplitude = zero_init(ops.Linear(2 * len(config.buckets.centres), width, bias=False))
        self.image_in = zero_init(ops.Linear(config.image_dim, width)) if config.image_dim else None
        self.modulation = ops.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(_Block(width, heads=config.heads, ops=ops) for _ in range(config.blocks))
        self.norm_out = ops.LayerNorm(width, elementwise_affine=False)
        self.modulation_out = nn.Parameter(torch.zeros(2, width))
        self.motion_out = zero_init(ops.Linear(width, config.vector))

    def forward(
        self,
        noisy_BFD: Tensor,
        timestep_B: Tensor,
        *,
        audio_BFD: Tensor,
        mask_BFH: Tensor,
        before_BPD: Tensor,
        style_B: Tensor,
        amplitude_BH: Tensor,
        image_BD: Tensor | None = None,
        offset_BFD: Tensor | None = None,
    ) -> Tensor:
        """Predict from noisy motion.

        Shapes:   noisy (B, F, vector); audio (B, F, audio_dim), one row per frame; mask (B, F, 2): 1 where a
                  hand is annotated, 0 where it is not or the sequence is padded; before (B, P, vector), P 0
                  or frames_before; style (B,) indices; amplitude (B, 2) of left and right hand, NaN: not
                  told; image (B, image_dim); offset (B, F, offset_dim); result (B, F, vector)
        """
        x = self.motion_in(noisy_BFD) + self.mask_in(mask_BFH.to(noisy_BFD.dtype))
        if self.offset_in is not None and offset_BFD is not None:
            x = x + self.offset_in(offset_BFD)
        heard = self.audio_norm(self.audio_in(audio_BFD))
        count = before_BPD.shape[1]
        x = torch.cat([self.motion_in(before_BPD) + self.before, x + heard], dim=1)
        places = _Places(heard.shape[1], before=count, size=heard.shape[2] // self.config.heads, like=heard)
        told = self._conditioned(
            timestep_B, style_B=style_B, amplitude_BH=amplitude_BH, image_BD=image_BD, dtype=x.dtype
        )
        modulation = self.modulation(nnf.silu(told)).unflatten(1, (6, -1))
        for block in self.blocks:
            x = block(x, heard, modulation, places)
        shift, scale = (self.modulation_out[None] + told[:, None]).unbind(1)
        return self.motion_out(_modulated(self.norm_out(x), shift, scale))[:, count:]

    def _conditioned(
        self,
        timestep_B: Tensor,
        *,
        style_B: Tensor,
        amplitude_BH: Tensor,
        image_BD: Tensor | None,
        dtype: torch.dtype,
    ) -> Tensor:
        told = self.time(timestep_B, dtype) + self.style[style_B]
        told = told + self.amplitude(self.config.buckets.encode(amplitude_BH).to(dtype))
        return told if image_BD is None or self.image_in is None else told + self.image_in(image_BD)


class _Places:
    """Turn queries and keys by their places in time; motion begins `before` frames ahead of the voice."""

    def __init__(self, frames: int, *, before: int, size: int, like: Tensor) -> None:
        rate = _SLOWEST ** -torch.linspace(0, 1, size // 2, device=like.device)
        angle = torch.arange(-before, frames, device=like.device)[:, None] * rate
        self._cos, self._sin = angle.cos().to(like.dtype), angle.sin().to(like.dtype)

    def __call__(self, x_NSD: Tensor, *, heads: int) -> Tensor:
        """Turn the features of the last frames; there may be fewer than places."""
        cos, sin = (part[-x_NSD.shape[1] :, None] for part in (self._cos, self._sin))
        one, two = x_NSD.unflatten(-1, (heads, 2, -1)).unbind(-2)
        return torch.stack([one * cos - two * sin, one * sin + two * cos], dim=-2).flatten(2)


class _Block(nn.Module):
    """One block; what AdaLN-single shares between blocks is adapted by a small table of its own."""

    def __init__(self, width: int, *, heads: int, ops: Ops) -> None:
        super().__init__()
        self.norm1 = ops.LayerNorm(width, elementwise_affine=False)
        self.attn1 = CrossAttention(width, context_dim=width, heads=heads, ops=ops)
        self.norm2 = ops.LayerNorm(width)
        self.attn_audio = CrossAttention(width, context_dim=width, heads=heads, ops=ops)
        self.norm3 = ops.LayerNorm(width, elementwise_affine=False)
        self.ff = FeedForward(width, ops=ops)
        self.table = nn.Parameter(torch.randn(6, width) / width**0.5)

    def forward(  # noqa: PLR0917
        self, x_NSD: Tensor, heard_NTD: Tensor, modulation_N6D: Tensor, places: _Places
    ) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = (self.table[None] + modulation_N6D).unbind(1)
        n = _modulated(self.norm1(x_NSD), shift1, scale1)
        x_NSD = x_NSD + gate1[:, None] * _attended(self.attn1, n, n, places)
        x_NSD = x_NSD + _attended(self.attn_audio, self.norm2(x_NSD), heard_NTD, places)
        return x_NSD + gate2[:, None] * self.ff(_modulated(self.norm3(x_NSD), shift2, scale2))


def _attended(  # noqa: PLR0917
    attention: CrossAttention, x_NSD: Tensor, context_NTD: Tensor, places: _Places
) -> Tensor:
    keys, values = attention.keys_values(context_NTD)
    queries, keys = (places(part, heads=attention.heads) for part in (attention.to_q(x_NSD), keys))
    return attention.to_out[0](attention.attention(queries, keys, values, attention.heads))


def _modulated(x_NSD: Tensor, shift_ND: Tensor, scale_ND: Tensor) -> Tensor:
    return x_NSD * (1 + scale_ND[:, None]) + shift_ND[:, None]
