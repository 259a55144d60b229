"""The region latents bank: learned, mutually orthogonal vectors that hold what all hands (or faces) share.

learned vectors -> Gram-Schmidt -> basis -> keys, values
keys, turned by the places of the vectors <-> queries, turned by the places of the tokens

Source: CyberHost section 3.2: "cross attention with L_spa in the spatial dimension and with L_temp in the
temporal dimension"; appendix E: L_spa (1, 512, 512), L_temp (1, 64, 512), Gaussian at the start, Gram-Schmidt
in each forward pass, RoPE "to inject temporal and spatial positional information into the latents bank,
respectively". Appendix A.3: a unified 3D bank of n x m vectors. (The preprint calls the bank a "motion
codebook".)
Reads:    a spatial vector has a place in the picture, a temporal one a frame; RoPE turns keys and queries by
          them, so that what a token takes from the bank depends on where and when it is. Turning the keys
          alone, the literal reading, lets neither reach the result (`places`). n x m vectors cannot all be
          orthogonal in d dimensions, so a unified bank is orthogonal within each of its m groups of n.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from ..config import Config


class BankConfig(Config):
    """Describe one bank: n spatial vectors, m temporal vectors, or both multiplied out.

    rows: spatial vectors form a grid of so many rows that is spread over the picture; 1: a line through its
    tokens as they are read. first_position: of a clip among the temporal vectors, as in the motion modules,
    where motion frames come before it. places: what RoPE turns. basis: whether Gram-Schmidt also brings the
    vectors to length 1.
    """

    axis: Literal["spatial", "temporal", "unified"]
    spatial: int = 512
    temporal: int = 64
    rows: int = 32
    first_position: int = 4
    places: Literal["queries_and_keys", "keys"] = "queries_and_keys"
    basis: Literal["orthogonal", "orthonormal"] = "orthogonal"

    @property
    def shape(self) -> tuple[int, int]:
        """Groups and vectors per group; only vectors of one group are orthogonal to each other."""
        return {
            "spatial": (1, self.spatial),
            "temporal": (1, self.temporal),
            "unified": (self.temporal, self.spatial),
        }[self.axis]

    @property
    def columns(self) -> int:
        return self.spatial // self.rows

    @model_validator(mode="after")
    def _fills_its_rows(self) -> Self:
        if self.axis != "temporal" and self.spatial % self.rows:
            raise ValueError(f"{self.spatial} spatial vectors do not fill {self.rows} rows")
        return self


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Which queries ask: those of a feature map of some size, in clips of some frames."""

    frames: int
    high: int
    wide: int


class LatentsBank(nn.Module):
    """Hold the vectors and hand out an orthogonal basis.

    In training each call orthogonalises anew, with gradients; in evaluation once, until the weights change.

    Shapes:   forward() -> (groups * vectors, d)
    """

    def __init__(self, config: BankConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.latents = nn.Parameter(torch.randn(*config.shape, width))
        self._kept: tuple[tuple[object, ...], Tensor] | None = None

    def forward(self) -> Tensor:
        if self.training or (torch.is_grad_enabled() and self.latents.requires_grad):
            return self._basis()
        # Weights made in inference mode, as inside ComfyUI, count no versions: only new storage is noticed.
        version = 0 if self.latents.is_inference() else self.latents._version
        state = (version, self.latents.data_ptr(), self.latents.device, self.latents.dtype)
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, self._basis())
        return self._kept[1]

    def _basis(self) -> Tensor:
        return gram_schmidt(self.latents, normalised=self.config.basis == "orthonormal").flatten(0, 1)

    def turn_keys(self, keys_LD: Tensor, *, heads: int) -> Tensor:
        """Turn each key by the place of its vector."""
        bank = self.config
        index_L = torch.arange(len(keys_LD), device=keys_LD.device)
        if bank.places == "keys":
            return _turned_by_index(keys_LD, index_L, bank)
        time, place = (index_L, index_L) if bank.axis != "unified" else _divided(index_L, bank.spatial)
        in_picture = [place] if bank.rows == 1 else _divided(place, bank.columns)
        return _turned(keys_LD, _of_axis(bank, in_picture, time), heads)

    def turn_queries(self, queries_NSD: Tensor, tokens: Tokens, *, heads: int) -> Tensor:
        """Turn each query by the place of its token, in the picture, in the clip, or both."""
        bank = self.config
        if bank.places == "keys":
            return queries_NSD
        rows, count, _ = queries_NSD.shape
        numbers = torch.arange(max(rows, count), device=queries_NSD.device)
        time_N1 = numbers[:rows, None] % tokens.frames + bank.first_position
        if bank.rows == 1:
            in_picture = [_spread(numbers[:count], count, over=bank.spatial)]
        else:
            row_S, column_S = _divided(numbers[:count], tokens.wide)
            in_picture = [
                _spread(row_S, tokens.high, over=bank.rows),
                _spread(column_S, tokens.wide, over=bank.columns),
            ]
        return _turned(queries_NSD, _of_axis(bank, in_picture, time_N1), heads)


def _of_axis(bank: BankConfig, in_picture: Sequence[Tensor], time: Tensor) -> Sequence[Tensor]:
    """Choose the places that count for a bank."""
    return {"spatial": in_picture, "temporal": [time], "unified": [*in_picture, time]}[bank.axis]


def _divided(index: Tensor, by: int) -> tuple[Tensor, Tensor]:
    return index // by, index % by


def _spread(index: Tensor, count: int, *, over: int) -> Tensor:
    """Bring the middles of `count` cells to the numbering of `over` cells of the same whole."""
    return (index + 0.5) * (over / count) - 0.5


def _turned(x: Tensor, places: Sequence[Tensor], heads: int) -> Tensor:
    """Turn by several places at once: each has an equal share of the channels of every head.

    Shapes:   x (..., D), places broadcast to (...); channels that no pair of shares takes stay as they are
    """
    x_HD = x.unflatten(-1, (heads, -1))
    share = x_HD.shape[-1] // (2 * len(places)) * 2
    *shares, rest = x_HD.split([*(share for _ in places), x_HD.shape[-1] - len(places) * share], dim=-1)
    turned = [rope(part, where[..., None]) for part, where in zip(shares, places, strict=True)]
    return torch.cat([*turned, rest], dim=-1).flatten(-2)


def _turned_by_index(keys_LD: Tensor, index_L: Tensor, bank: BankConfig) -> Tensor:
    """Turn keys alone, over all heads at once: what the first models of this package were trained with."""
    if bank.axis != "unified":
        return rope(keys_LD, index_L)
    time_L, place_L = _divided(index_L, bank.spatial)
    half = keys_LD.shape[1] // 2
    return torch.cat([rope(keys_LD[:, :half], place_L), rope(keys_LD[:, half:], time_L)], dim=1)


def gram_schmidt(vectors_GLD: Tensor, *, normalised: bool = True) -> Tensor:
    """Make the rows of each group orthogonal, equal to the classical Gram-Schmidt process.

    QR in float32 is the stable way to the same basis; the signs of R's diagonal make it unique, and its size
    is the length that the process leaves to a vector.

    Shapes:   (groups, L, D) with L <= D -> same
    """
    # Autocast would run the triangular solves of the backward pass in bfloat16, which loses orthogonality.
    with torch.autocast(vectors_GLD.device.type, enabled=False):
        q, r = torch.linalg.qr(vectors_GLD.float().transpose(-1, -2))
        lengths = torch.diagonal(r, dim1=-2, dim2=-1)
        scale = torch.sign(lengths) if normalised else lengths
        basis = (q * scale[..., None, :]).transpose(-1, -2)
    return basis.to(vectors_GLD.dtype)


def rope(x: Tensor, index: Tensor, *, base: float = 10000.0) -> Tensor:
    """Rotate each pair of channels (i, i + D/2) by index * base^(-2i/D).

    Shapes:   x (..., D), index broadcasts to (...) -> as x
    Source:   RoFormer, in its half-split form
    """
    half = x.shape[-1] // 2
    frequency = base ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = index.float()[..., None] * frequency
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    first, second, rest = x.split([half, half, x.shape[-1] - 2 * half], dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos, rest], dim=-1)
