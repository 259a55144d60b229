"""The autoencoder of a checkpoint, whichever it is, as sampling.portrait asks for it.

this package's small one -> TinyAutoencoder     Stable Diffusion's (diffusers) -> StableDiffusionAutoencoder
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..backbone.vae import TinyVAE
from ..checkpoints.autoencoders import build_stable_diffusion
from ..checkpoints.file import StoredCheckpoint, open_checkpoint
from ..errors import CheckpointError
from ..sampling.portrait import Autoencoder


class TinyAutoencoder:
    """This package's own."""

    def __init__(self, vae: TinyVAE, *, device: torch.device) -> None:
        self.vae, self.device = vae.to(device), device

    def encode(self, picture_YXC: np.ndarray) -> Tensor:
        return self.vae.encode(_pixels(picture_YXC).to(self.device))

    def decode(self, latents_NCHW: Tensor) -> Tensor:
        return self.vae.decode(latents_NCHW.to(self.device))


class StableDiffusionAutoencoder:
    """diffusers' AutoencoderKL; latents are the middle of what the encoder allows for, not drawn from it."""

    def __init__(self, network: Any, *, device: torch.device) -> None:
        self.network, self.device = network.eval().requires_grad_(False).to(device), device

    def encode(self, picture_YXC: np.ndarray) -> Tensor:
        return self.network.encode(_pixels(picture_YXC).to(self.device)).latent_dist.mode()

    def decode(self, latents_NCHW: Tensor) -> Tensor:
        return self.network.decode(latents_NCHW.to(self.device)).sample


def autoencoder_of(stored: StoredCheckpoint, elsewhere: Path | None, *, device: torch.device) -> Autoencoder:
    """Take the autoencoder in another checkpoint if one is named, else that of the checkpoint itself.

    Raises:   CheckpointError: there is none, or it does not fit its configuration
    """
    source = stored if elsewhere is None else open_checkpoint(elsewhere)
    if source.vae is not None:
        return TinyAutoencoder(source.vae, device=device)
    if source.autoencoder is None:
        raise CheckpointError(
            f"{source.path} holds no autoencoder (vae.), which turns pictures into latents and back; convert "
            "it again with --vae, or name a checkpoint that holds one with --vae."
        )
    network = build_stable_diffusion(*source.autoencoder, path=source.path)
    return StableDiffusionAutoencoder(network, device=device)


def _pixels(picture_YXC: np.ndarray) -> Tensor:
    return torch.from_numpy(picture_YXC.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
