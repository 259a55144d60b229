"""Embeddings of numbers: timestep, hand clarity score, hand confidence, vectors of faces and pictures."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from .ops import Ops, zero_init


def sinusoidal_features(values: Tensor, width: int, *, max_period: float = 10000.0) -> Tensor:
    """Expand numbers to cosines and sines of falling frequency, (...,) -> (..., width).

    Source: diffusers' Timesteps with flip_sin_to_cos and no frequency shift, as Stable Diffusion 1.5 uses it.
    """
    half = width // 2
    frequency = torch.exp(-math.log(max_period) * torch.arange(half, device=values.device) / half)
    angle = values.float()[..., None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


class TimeEmbedding(nn.Module):
    """Embed the timestep. Names: diffusers' time_embedding.linear_1, linear_2.

    Shapes:   timestep (B,) in 0..999 -> (B, embedding_dim)
    """

    def __init__(self, width: int, embedding_dim: int, *, ops: Ops) -> None:
        super().__init__()
        self.width = width
        self.linear_1 = ops.Linear(width, embedding_dim)
        self.linear_2 = ops.Linear(embedding_dim, embedding_dim)

    def forward(self, timestep_B: Tensor, dtype: torch.dtype) -> Tensor:
        features = sinusoidal_features(timestep_B, self.width).to(dtype)
        return self.linear_2(nnf.silu(self.linear_1(features)))


class ClarityEmbedding(nn.Module):
    """Embed the four hand clarity scores of a frame, to be added to its time embedding.

    Shapes:   scores (N, 4): absolute left, right, relative left, right -> (N, embedding_dim)
    Units:    absolute scores in units of `unit` grey levels, so that all four lie near 0..1
    Source:   CyberHost section 3.3, appendix D
    """

    BANDS = 8

    def __init__(self, embedding_dim: int, *, unit: float, ops: Ops) -> None:
        super().__init__()
        self.unit = unit
        self.linear_1 = ops.Linear(4 * 2 * self.BANDS, embedding_dim)
        self.linear_2 = zero_init(ops.Linear(embedding_dim, embedding_dim))

    def forward(self, scores_N4: Tensor) -> Tensor:
        scale = torch.tensor([self.unit, self.unit, 1.0, 1.0], device=scores_N4.device)
        # Periods from 16 down to 1.4 times the usual range: smooth enough to extrapolate a little beyond it.
        values = (scores_N4 / scale)[..., None] * 2.0 ** torch.arange(-2, 2, 0.5, device=scores_N4.device)
        angle = values * (math.pi / 2)
        features = torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(1)
        return self.linear_2(nnf.silu(self.linear_1(features.to(self.linear_1.weight.dtype))))


class ConfidenceEmbedding(nn.Module):
    """Embed how sure a detector was of each hand, to be added to the latents' feature at every place.

    Shapes:   confidence (N, 2): left, right -> (N, channels, 1, 1)
    Units:    0..1
    Source:   EMO2 section 3.4: "we multiply a trainable embedding by these confidence scores to create a hand
              confidence embedding, which are directly added to the latent features"
    Reads:    each hand has a vector of its own, for a score of its own; the latents' feature is that after
              the first convolution, where vector and feature have the same width
    """

    def __init__(self, channels: int, *, ops: Ops) -> None:
        super().__init__()
        self.vectors = zero_init(ops.Linear(2, channels, bias=False))

    def forward(self, confidence_N2: Tensor) -> Tensor:
        return self.vectors(confidence_N2.to(self.vectors.weight.dtype))[:, :, None, None]


class VectorProjection(nn.Module):
    """Project one vector of a picture (face identity, image embedding) to tokens.

    Shapes:   (B, vector_dim) -> (B, tokens, token_dim)
    """

    def __init__(self, vector_dim: int, token_dim: int, *, tokens: int, ops: Ops) -> None:
        super().__init__()
        self.tokens = tokens
        self.proj = ops.Linear(vector_dim, tokens * token_dim)
        self.norm = ops.LayerNorm(token_dim)

    def forward(self, vector_BD: Tensor) -> Tensor:
        return self.norm(self.proj(vector_BD).unflatten(1, (self.tokens, -1)))


class FaceProjection(VectorProjection):
    """Project a face identity vector to tokens: the regional image encoder R of equation 4, for faces.

    Shapes:   (B, 512), unit length -> (B, tokens, token_dim)
    """

    def forward(self, vector_BD: Tensor) -> Tensor:
        # A unit vector of 512 numbers has entries near 1/23; bring them to the size a linear layer expects.
        return super().forward(vector_BD * vector_BD.shape[1] ** 0.5)
