"""The autoencoder that turns training pictures into latents of about unit variance, of either kind."""

from pathlib import Path

import torch
from torch import Tensor

from ..backbone.vae import TinyVAE
from ..data.encode import EncodesPictures
from ..systems.spec import SD_LATENT_SCALE
from .parts import load_autoencoder
from .stable_diffusion import StableDiffusionVAE


class ScaledEncoder:
    """Stable Diffusion's autoencoder, on a GPU where there is one; latents are scaled."""

    def __init__(self, vae: StableDiffusionVAE) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.vae, self.scale = vae.to(self.device), vae.config.get("scaling_factor", SD_LATENT_SCALE)

    @torch.inference_mode()
    def encode(self, x: Tensor, /) -> Tensor:
        """Encode.

        Shapes:   x (N, 3, Y, X) in -1..1; result (N, 4, Y / 8, X / 8) float32 on the CPU
        """
        return (self.vae.encode(x.to(self.device)) * self.scale).float().cpu()

    @torch.inference_mode()
    def decode(self, latents: Tensor, /) -> Tensor:
        """Decode what encode gave: (N, 4, h, w) -> (N, 3, 8 h, 8 w) float32 in about -1..1, on the CPU."""
        rows = (latents / self.scale).split(1)  # one by one, as encode does, which bounds the memory
        return torch.cat([self.vae.decode(one.to(self.device)) for one in rows]).float().cpu()


def load_picture_encoder(path: Path) -> EncodesPictures:
    """Read an autoencoder to encode with; see `load_autoencoder`.

    Raises:   CheckpointError, MissingExtraError: see there
    """
    found = load_autoencoder(path)
    return found if isinstance(found, TinyVAE) else ScaledEncoder(found)
