"""From the speech features of a frame's window to the tokens that the audio layers attend to.

Each projection also says what silence is in its tokens, for the guidance passes that hear nothing.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..config import Config
from .ops import Ops


class LinearAudioConfig(Config):
    """One token per step of the window."""

    kind: Literal["linear"] = "linear"

    def build(self, feature_dim: int, token_dim: int, *, window: int, ops: Ops) -> "LinearAudio":
        return LinearAudio(feature_dim, token_dim, window=window, ops=ops)


class MLPAudioConfig(Config):
    """A fixed number of tokens from the whole window."""

    kind: Literal["mlp"] = "mlp"
    hidden_dim: int = 512
    tokens: int = 32

    def build(self, feature_dim: int, token_dim: int, *, window: int, ops: Ops) -> "MLPAudio":
        return MLPAudio(feature_dim * window, token_dim, config=self, ops=ops)


class PlainAudioConfig(Config):
    """The steps themselves are the tokens."""

    kind: Literal["none"] = "none"

    def build(self, *_sizes: int, **_: object) -> "PlainAudio":
        return PlainAudio()


AudioProjectionConfig = Annotated[
    LinearAudioConfig | MLPAudioConfig | PlainAudioConfig, Field(discriminator="kind")
]


class LinearAudio(nn.Module):
    """Project the speech features of each step in a frame's window to a token.

    Shapes:   (N, window, feature_dim) -> (N, window, token_dim)
    Source:   CyberHost appendix E gives the feature, (5, 10752); linear + layer norm is our reading of how it
              enters
    """

    def __init__(self, feature_dim: int, token_dim: int, *, window: int, ops: Ops) -> None:
        super().__init__()
        self.linear = ops.Linear(feature_dim, token_dim)
        self.norm = ops.LayerNorm(token_dim)
        # The window's steps differ by what they say, not by where they stand; attention needs the place too.
        self.place = nn.Parameter(torch.zeros(window, token_dim))

    def forward(self, windows_NWD: Tensor) -> Tensor:
        return self.norm(self.linear(windows_NWD)) + self.place.to(windows_NWD)

    def silent(self, windows_NWD: Tensor) -> Tensor:
        """Tokens of features that are zero, as the null pass was trained."""
        return self(torch.zeros_like(windows_NWD))


class MLPAudio(nn.Module):
    """Mix a window's steps and layers into tokens.

    Shapes:   (N, window, feature_dim) -> (N, tokens, token_dim)
    Source:   Hallo's AudioProjModel
    """

    def __init__(self, inputs: int, token_dim: int, *, config: MLPAudioConfig, ops: Ops) -> None:
        super().__init__()
        self.tokens = config.tokens
        self.proj1 = ops.Linear(inputs, config.hidden_dim)
        self.proj2 = ops.Linear(config.hidden_dim, config.hidden_dim)
        self.proj3 = ops.Linear(config.hidden_dim, config.tokens * token_dim)
        self.norm = ops.LayerNorm(token_dim)

    def forward(self, windows_NWD: Tensor) -> Tensor:
        hidden = self.proj2(self.proj1(windows_NWD.flatten(1)).relu()).relu()
        return self.norm(self.proj3(hidden).unflatten(1, (self.tokens, -1)))

    def silent(self, windows_NWD: Tensor) -> Tensor:
        """Tokens that are zero, which is not what zero features give."""
        return windows_NWD.new_zeros(len(windows_NWD), self.tokens, *self.norm.normalized_shape)


class PlainAudio(nn.Module):
    """Take the steps as they are.

    Shapes:   (N, window, feature_dim) -> same
    """

    def forward(self, windows_NWD: Tensor) -> Tensor:
        return windows_NWD

    def silent(self, windows_NWD: Tensor) -> Tensor:
        """Zeros."""
        return torch.zeros_like(windows_NWD)


AudioProjection = LinearAudio | MLPAudio | PlainAudio
