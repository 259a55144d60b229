"""The autoencoder that turns training pictures into latents, whichever a system works with.

this package's small one, alone or in a checkpoint            -> TinyVAE
Stable Diffusion's, in a checkpoint that was converted with it -> diffusers' AutoencoderKL, same verb
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..data.encode import EncodesPictures
from ..errors import CheckpointError
from ..systems.spec import SD_LATENT_SCALE
from .autoencoders import build_stable_diffusion
from .file import READ_FORMATS, open_checkpoint
from .parts import load_vae


class StableDiffusionEncoder:
    """Encode and decode with Stable Diffusion's autoencoder, picture by picture, on a GPU if there is one.

    Latents are the middle of what the encoder allows for, not drawn from it, so that they are the same each
    time; scaled as Stable Diffusion's are.
    """

    def __init__(self, network: Any, *, scale: float) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network, self.scale = network.eval().requires_grad_(False).to(self.device), scale

    @torch.inference_mode()
    def encode(self, x: Tensor, /) -> Tensor:
        """Encode.

        Shapes:   x (N, 3, Y, X) in -1..1; result (N, 4, Y / 8, X / 8) float32 on the CPU
        """
        rows = [self.network.encode(one.to(self.device)).latent_dist.mode() for one in x.split(1)]
        return (torch.cat(rows) * self.scale).float().cpu()

    @torch.inference_mode()
    def decode(self, latents: Tensor, /) -> Tensor:
        """Decode what encode gave: (N, 4, h, w) -> (N, 3, 8 h, 8 w) float32 in about -1..1, on the CPU."""
        rows = [self.network.decode(one.to(self.device)).sample for one in (latents / self.scale).split(1)]
        return torch.cat(rows).float().cpu()


def load_picture_encoder(path: Path) -> EncodesPictures:
    """Read an autoencoder to encode with: one alone, or the one inside a checkpoint.

    Raises:   CheckpointError: missing, damaged, of another kind, or a checkpoint without one
              MissingExtraError: Stable Diffusion's needs diffusers
    """
    if _format(path) not in READ_FORMATS:
        return load_vae(path)
    stored = open_checkpoint(path)
    if stored.vae is not None:
        return stored.vae.eval().requires_grad_(False)
    if stored.autoencoder is None:
        raise CheckpointError(
            f"The checkpoint {path} holds no autoencoder, which turns pictures into latents; convert it "
            "again with --vae, or give another file."
        )
    network = build_stable_diffusion(*stored.autoencoder, path=path)
    scale = stored.autoencoder[1].get("scaling_factor", SD_LATENT_SCALE)
    return StableDiffusionEncoder(network, scale=scale)


def _format(path: Path) -> str:
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format", "")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({error}); give a file made by 'cyberhost train vae', "
            "or a checkpoint."
        ) from error
