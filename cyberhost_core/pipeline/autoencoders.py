"""The autoencoder of a checkpoint, whichever it is, as sampling.portrait asks for it."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..backbone.vae import TinyVAE
from ..checkpoints.file import StoredCheckpoint, stored_vae
from ..checkpoints.parts import load_autoencoder
from ..checkpoints.stable_diffusion import StableDiffusionVAE
from ..errors import CheckpointError
from ..sampling.portrait import Autoencoder


class PictureAutoencoder:
    """Code pictures as they come from files, on a device."""

    def __init__(self, vae: TinyVAE | StableDiffusionVAE, *, device: torch.device) -> None:
        self.vae, self.device = vae.to(device), device

    def encode(self, picture_YXC: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(picture_YXC.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        return self.vae.encode(pixels.to(self.device))

    def decode(self, latents_NCHW: Tensor) -> Tensor:
        return self.vae.decode(latents_NCHW.to(self.device))


def autoencoder_of(stored: StoredCheckpoint, elsewhere: Path | None, *, device: torch.device) -> Autoencoder:
    """Take the autoencoder in another file if one is named, else that of the checkpoint itself.

    Raises:   CheckpointError: there is none, or it does not fit its configuration
    """
    vae = stored_vae(stored) if elsewhere is None else load_autoencoder(elsewhere)
    if vae is None:
        raise CheckpointError(
            f"{stored.path} holds no autoencoder (vae.), which turns pictures into latents and back; convert "
            "it again with --vae, or name a file that holds one with --vae."
        )
    return PictureAutoencoder(vae, device=device)
