"""The region latents bank: learned, mutually orthogonal vectors that hold what all hands (or faces) share.

Source: CyberHost section 3.2 and appendix E: L_spa (1, 512, 512), L_temp (1, 64, 512), Gaussian at the start,
Gram-Schmidt in each forward pass, RoPE "to inject temporal and spatial positional information into the
latents bank". Appendix A.3: a unified 3D bank of n x m vectors. (The preprint calls the bank a "motion
codebook".)
Reads:    RoPE rotates the keys by the vector's own index, spatial or temporal; a unified bank rotates one
          half of the channels by each. n x m vectors cannot all be orthogonal in d dimensions, so a unified
          bank is orthogonal within each of its m groups of n.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from ..config import Config


class BankConfig(Config):
    """Describe one bank: n spatial vectors, m temporal vectors, or both multiplied out."""

    axis: Literal["spatial", "temporal", "unified"]
    spatial: int = 512
    temporal: int = 64

    @property
    def shape(self) -> tuple[int, int]:
        """Groups and vectors per group; only vectors of one group are orthogonal to each other."""
        return {
            "spatial": (1, self.spatial),
            "temporal": (1, self.temporal),
            "unified": (self.temporal, self.spatial),
        }[self.axis]


class LatentsBank(nn.Module):
    """Hold the vectors and hand out an orthonormal basis.

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
            return gram_schmidt(self.latents).flatten(0, 1)
        # Weights made in inference mode, as inside ComfyUI, count no versions: only new storage is noticed.
        version = 0 if self.latents.is_inference() else self.latents._version
        state = (version, self.latents.data_ptr(), self.latents.device, self.latents.dtype)
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, gram_schmidt(self.latents).flatten(0, 1))
        return self._kept[1]

    def rotate(self, keys_LD: Tensor) -> Tensor:
        """Give each key its position by RoPE."""
        _, vectors = self.config.shape
        index = torch.arange(len(keys_LD), device=keys_LD.device)
        if self.config.axis == "unified":
            half = keys_LD.shape[1] // 2
            by_space, by_time = keys_LD.split([half, keys_LD.shape[1] - half], dim=1)
            return torch.cat([rope(by_space, index % vectors), rope(by_time, index // vectors)], dim=1)
        return rope(keys_LD, index)


def gram_schmidt(vectors_GLD: Tensor) -> Tensor:
    """Orthonormalise the rows of each group, equal to the classical Gram-Schmidt process.

    QR in float32 is the stable way to the same basis; the signs of R's diagonal make it unique.

    Shapes:   (groups, L, D) with L <= D -> same
    """
    # Autocast would run the triangular solves of the backward pass in bfloat16, which loses orthogonality.
    with torch.autocast(vectors_GLD.device.type, enabled=False):
        q, r = torch.linalg.qr(vectors_GLD.float().transpose(-1, -2))
        signs = torch.sign(torch.diagonal(r, dim1=-2, dim2=-1))
        basis = (q * signs[..., None, :]).transpose(-1, -2)
    return basis.to(vectors_GLD.dtype)


def rope(x_LD: Tensor, index_L: Tensor, *, base: float = 10000.0) -> Tensor:
    """Rotate each pair of channels (i, i + D/2) by index * base^(-2i/D).

    Source:   RoFormer, in its half-split form
    """
    half = x_LD.shape[-1] // 2
    frequency = base ** (-torch.arange(half, device=x_LD.device, dtype=torch.float32) / half)
    angle = index_L.float()[:, None] * frequency
    cos, sin = angle.cos().to(x_LD.dtype), angle.sin().to(x_LD.dtype)
    first, second = x_LD[..., :half], x_LD[..., half : 2 * half]
    rotated = [first * cos - second * sin, first * sin + second * cos, x_LD[..., 2 * half :]]
    return torch.cat(rotated, dim=-1)
