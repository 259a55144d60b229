"""A portrait as a system reads it: its latents, and what its conditioners make of what is known of it.

picture -> size -> autoencoder -> can it give the picture back? -> latents + inputs of the conditioners
"""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..conditioners.conditioner import Given
from ..conditioners.values import Inputs
from ..errors import CheckpointError, ImageError
from ..systems.spec import SystemSpec
from ..units import LATENT_STRIDE_PX, decibels


class Autoencoder(Protocol):
    """What turns pictures into latents and back; latents are its own, before any scale."""

    def encode(self, picture_YXC: np.ndarray) -> Tensor:
        """Encode a uint8 picture, -> (1, C, h, w)."""
        ...

    def decode(self, latents_NCHW: Tensor) -> Tensor:
        """Decode, -> (N, 3, Y, X) in -1..1."""
        ...


def portrait_inputs(
    spec: SystemSpec, picture_YXC: np.ndarray, known: Given, *, autoencoder: Autoencoder, floor_db: float
) -> Inputs:
    """Prepare a portrait for Encoders.read.

    Shapes:   picture (Y, X, 3) uint8
    Units:    floor_db: pictures that the autoencoder gives back worse than this are refused; 0: none is
    Raises:   ImageError: another size than the system's, or unlike anything that it was trained on
              CheckpointError: the autoencoder belongs to another system; whatever the conditioners refuse
    """
    _require_size(spec, *picture_YXC.shape[:2])
    latents = autoencoder.encode(picture_YXC)
    if latents.ndim != 4 or latents.shape[1] != spec.unet.latent_channels:
        raise CheckpointError(
            f"The VAE gives latents of shape {list(latents.shape)}, but '{spec.name}' has "
            f"{spec.unet.latent_channels} channels; connect the vae output of the same Load CyberHost node, "
            "or load the VAE that the checkpoint was trained with."
        )
    if floor_db:
        _require_known(picture_YXC, autoencoder.decode(latents), floor_db=floor_db, name=spec.name)
    inputs: dict[str, Tensor] = {"latents": latents * spec.latent_scale}
    for conditioner in spec.conditioners:
        inputs |= conditioner.of_portrait(known, unet=spec.unet)
    return inputs


def _require_size(spec: SystemSpec, height: int, width: int) -> None:
    if spec.any_size:
        if height % LATENT_STRIDE_PX or width % LATENT_STRIDE_PX:
            raise ImageError(
                f"The reference picture has {width} x {height} pixels, but '{spec.name}' needs sides that "
                "are multiples of 8; put an Upscale Image node before, with such sizes and crop 'center'."
            )
    elif (height, width) != (spec.height, spec.width):
        raise ImageError(
            f"The reference picture has {width} x {height} pixels, but '{spec.name}' works at {spec.width} x "
            f"{spec.height}; put an Upscale Image node before, with these sizes and crop 'center'."
        )


def _require_known(picture_YXC: np.ndarray, again_NCYX: Tensor, *, floor_db: float, name: str) -> None:
    """Refuse what the autoencoder cannot give back, for those that know little of the world."""
    picture = torch.from_numpy(picture_YXC.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    came_back_db = decibels(float((again_NCYX.cpu().float() - picture).pow(2).mean()), peak=2.0)
    if came_back_db < floor_db:
        raise ImageError(
            f"The picture is unlike what '{name}' was trained on (it comes back from its autoencoder with "
            f"{came_back_db:.1f} dB, at least {floor_db:.1f} dB was expected); use a picture of the kind "
            "that it knows (the bundled models know drawn puppets only), or load weights for people."
        )
