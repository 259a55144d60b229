"""Attention with diffusers' parameter names, and the feed-forward that follows it."""

from torch import Tensor, nn
from torch.nn import functional as nnf

from .ops import Ops


class CrossAttention(nn.Module):
    """Attend from one set of tokens to another (or to itself); parameters to_q, to_k, to_v, to_out.0.

    Shapes:   x (N, S, D), context (N, T, context_dim) -> (N, S, D)
    """

    def __init__(self, width: int, *, context_dim: int, heads: int, ops: Ops) -> None:
        super().__init__()
        self.heads = heads
        self.attention = ops.attention
        self.to_q = ops.Linear(width, width, bias=False)
        self.to_k = ops.Linear(context_dim, width, bias=False)
        self.to_v = ops.Linear(context_dim, width, bias=False)
        self.to_out = nn.ModuleList([ops.Linear(width, width)])

    def forward(self, x_NSD: Tensor, context_NTD: Tensor) -> Tensor:
        return self.attend(x_NSD, *self.keys_values(context_NTD))

    def keys_values(self, context_NTD: Tensor) -> tuple[Tensor, Tensor]:
        """Project a context that several steps share."""
        return self.to_k(context_NTD), self.to_v(context_NTD)

    def attend(self, x_NSD: Tensor, k_NTD: Tensor, v_NTD: Tensor) -> Tensor:
        """Attend to projected keys and values."""
        return self.to_out[0](self.attention(self.to_q(x_NSD), k_NTD, v_NTD, self.heads))


class GEGLU(nn.Module):
    """Gate one half of a projection by the gelu of the other."""

    def __init__(self, width: int, inner: int, *, ops: Ops) -> None:
        super().__init__()
        self.proj = ops.Linear(width, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * nnf.gelu(gate)


class FeedForward(nn.Module):
    """Widen, gate, narrow; parameters net.0.proj and net.2, as in diffusers (net.1 is its dropout)."""

    def __init__(self, width: int, *, ops: Ops, factor: int = 4) -> None:
        super().__init__()
        self.net = nn.ModuleList(
            [GEGLU(width, factor * width, ops=ops), nn.Identity(), ops.Linear(factor * width, width)]
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.net:
            x = layer(x)
        return x
