"""Stage 1 of EMO2: a diffusion transformer that predicts hand motion from a voice.

    [12 frames before | noisy frames] -> linear, + hand masks, + body offset, + place in time
       -> blocks { self-attention; attention to the voice; feed-forward }, all scaled by AdaLN-single
       -> norm -> linear -> prediction of the noisy frames
    timestep, style, amplitude of each hand, reference picture -> one vector -> AdaLN-single

Source: EMO2 sections 3.3 and 4.1 (24 blocks of width 512, 134 parameters, 300 frames, 12 before);
PixArt-alpha (Chen et al. 2023), section 2.3, for AdaLN-single.
Reads:    frames before and noisy frames are one sequence, told apart by an embedding; voice and motion carry
          the same places in time, so that a frame finds its own sound; embeddings of style, amplitude and
          picture are added to that of the timestep, and the sum drives AdaLN.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..backbone.attention import CrossAttention, FeedForward
from ..backbone.embeddings import TimeEmbedding, sinusoidal_features
from ..backbone.ops import TORCH_OPS, Ops, zero_init
from ..config import Config

HAND_VECTOR = 134  # both hands: 16 quaternions and a translation each


class AmplitudeBuckets(Config):
    """Centres and radii of the buckets that a hand's amplitude is told by.

    Units:    standard deviation of the wrist's place over a clip, in fractions of the picture
    Source:   EMO's speed buckets (Tian et al. 2024), on amplitude as EMO2 section 3.3 prefers
    """

    centres: tuple[float, ...] = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2)
    radii: tuple[float, ...] = (0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.03, 0.03, 0.04)

    def encode(self, amplitudes_BH: Tensor) -> Tensor:
        """Tell how far an amplitude lies from every bucket's centre, (B, 2) -> (B, 2 * buckets)."""
        centres = torch.tensor(self.centres, device=amplitudes_BH.device)
        radii = torch.tensor(self.radii, device=amplitudes_BH.device)
        return torch.tanh(3 * (amplitudes_BH[..., None] - centres) / radii).flatten(1)


class GestureConfig(Config):
    """Sizes of the transformer, and what may be told to it.

    audio_dim: numbers per frame of the voice's features; image_dim: of a picture's embedding, 0: never given;
    offset_dim: of the body's place and turn, 0: never given
    """

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
        self.motion_in = ops.Linear(HAND_VECTOR, width)
        self.mask_in = ops.Linear(2, width)
        self.offset_in = zero_init(ops.Linear(config.offset_dim, width)) if config.offset_dim else None
        self.before = nn.Parameter(0.02 * torch.randn(width))
        self.audio_in = ops.Linear(config.audio_dim, width)
        self.audio_norm = ops.LayerNorm(width)
        self.time = TimeEmbedding(256, width, ops=ops)
        self.style = nn.Parameter(0.02 * torch.randn(len(config.styles), width))
        self.amplitude = zero_init(ops.Linear(2 * len(config.buckets.centres), width))
        self.image_in = zero_init(ops.Linear(config.image_dim, width)) if config.image_dim else None
        self.modulation = ops.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(_Block(width, heads=config.heads, ops=ops) for _ in range(config.blocks))
        self.norm_out = ops.LayerNorm(width, elementwise_affine=False)
        self.modulation_out = nn.Parameter(torch.zeros(2, width))
        self.motion_out = zero_init(ops.Linear(width, HAND_VECTOR))

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

        Shapes:   noisy (B, F, 134); audio (B, F, audio_dim), one row per frame; mask (B, F, 2): 1 where a
                  hand is annotated, 0 where it is not or the sequence is padded; before (B, P, 134), P 0 or
                  frames_before; style (B,) indices; amplitude (B, 2) of left and right hand, NaN: not told;
                  image (B, image_dim); offset (B, F, offset_dim); result (B, F, 134)
        """
        x = self.motion_in(noisy_BFD) + self.mask_in(mask_BFH.to(noisy_BFD.dtype))
        if self.offset_in is not None and offset_BFD is not None:
            x = x + self.offset_in(offset_BFD)
        count = before_BPD.shape[1]
        x = torch.cat([self.motion_in(before_BPD) + self.before, x], dim=1)
        x = x + self._places(range(-count, noisy_BFD.shape[1]), like=x)
        heard = self.audio_norm(self.audio_in(audio_BFD))
        heard = heard + self._places(range(audio_BFD.shape[1]), like=heard)
        told = self._told(
            timestep_B, style_B=style_B, amplitude_BH=amplitude_BH, image_BD=image_BD, dtype=x.dtype
        )
        modulation = self.modulation(nnf.silu(told)).unflatten(1, (6, -1))
        for block in self.blocks:
            x = block(x, heard, modulation)
        shift, scale = (self.modulation_out[None] + told[:, None]).unbind(1)
        return self.motion_out(_modulated(self.norm_out(x), shift, scale))[:, count:]

    def _told(
        self,
        timestep_B: Tensor,
        *,
        style_B: Tensor,
        amplitude_BH: Tensor,
        image_BD: Tensor | None,
        dtype: torch.dtype,
    ) -> Tensor:
        told = self.time(timestep_B, dtype) + self.style[style_B]
        is_told = amplitude_BH.isfinite().all(dim=1, keepdim=True)
        encoded = self.config.buckets.encode(amplitude_BH.nan_to_num())
        told = told + self.amplitude(encoded.to(dtype)) * is_told
        return told if image_BD is None or self.image_in is None else told + self.image_in(image_BD)

    def _places(self, frames: range, *, like: Tensor) -> Tensor:
        index = torch.tensor(list(frames), device=like.device)
        return sinusoidal_features(index, self.config.width).to(like.dtype)


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

    def forward(self, x_NSD: Tensor, heard_NTD: Tensor, modulation_N6D: Tensor) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = (self.table[None] + modulation_N6D).unbind(1)
        n = _modulated(self.norm1(x_NSD), shift1, scale1)
        x_NSD = x_NSD + gate1[:, None] * self.attn1(n, n)
        x_NSD = x_NSD + self.attn_audio(self.norm2(x_NSD), heard_NTD)
        return x_NSD + gate2[:, None] * self.ff(_modulated(self.norm3(x_NSD), shift2, scale2))


def _modulated(x_NSD: Tensor, shift_ND: Tensor, scale_ND: Tensor) -> Tensor:
    return x_NSD * (1 + scale_ND[:, None]) + shift_ND[:, None]
