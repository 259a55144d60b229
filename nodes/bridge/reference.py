"""Run the encoders on the reference picture, on the device the host chooses."""

from typing import Any

import comfy.model_management as management
import numpy as np
import torch

from ...cyberhost_core.conditions.skeleton_map import draw_skeleton
from ...cyberhost_core.errors import CheckpointError, ImageError
from ...cyberhost_core.systems.model import Encoders, Reference
from ...cyberhost_core.types import Pose
from ..types import Crops, Parts, ReferenceBank


@torch.inference_mode()
def read_reference(
    parts: Parts, vae: Any, picture_YXC: np.ndarray, *, pose: Pose, crops: Crops
) -> ReferenceBank:
    """Encode a portrait.

    Shapes:   picture (Y, X, 3) uint8
    Raises:   ImageError: another size than the model's, or unlike anything it was trained on;
              CheckpointError: the autoencoder belongs to another checkpoint
    """
    spec = parts.spec
    height, width = picture_YXC.shape[:2]
    if (height, width) != (spec.height, spec.width):
        raise ImageError(
            f"The reference picture has {width} x {height} pixels, but '{spec.name}' works at {spec.width} x "
            f"{spec.height}; put an Upscale Image node before, with these sizes and crop 'center'."
        )
    pixels = torch.from_numpy(picture_YXC.copy())[None].float() / 255
    latents = vae.encode(pixels)
    if latents.shape[1] != spec.unet.latent_channels:
        raise CheckpointError(
            f"The VAE gives {latents.shape[1]} latent channels, but '{spec.name}' has "
            f"{spec.unet.latent_channels}; connect the vae output of the same Load CyberHost node."
        )
    _require_known(pixels, vae.decode(latents), floor_db=parts.picture_floor_db, name=spec.name)
    management.load_models_gpu([parts.encoders])
    encoders: Encoders = parts.encoders.model
    like = torch.empty(
        0, device=parts.encoders.load_device, dtype=encoders.reference_net.conv_in.weight.dtype
    )
    found = encoders.encode_reference(
        latents_BCHW=latents.to(like),
        skeleton_BCYX=draw_skeleton(pose).to(like),
        hand_crops_BHCYX=crops.hands_HCYX[None].to(like),
        face_vector_BD=crops.face_D[None].to(like),
    )
    return ReferenceBank(_on_cpu(found), parts.identity, pose, height, width)


def _require_known(
    pixels_BYXC: torch.Tensor, again_BYXC: torch.Tensor, *, floor_db: float, name: str
) -> None:
    error = float((again_BYXC[..., :3].cpu() - pixels_BYXC).pow(2).mean())
    decibels = -10 * np.log10(max(error, 1e-10))
    if decibels < floor_db:
        raise ImageError(
            f"The picture is unlike what '{name}' was trained on (it comes back from its autoencoder with "
            f"{decibels:.1f} dB, at least {floor_db:.1f} dB was expected): the bundled model knows drawn "
            "puppets only; use a bundled portrait, or load weights for people."
        )


def _on_cpu(reference: Reference) -> Reference:
    return Reference(
        {path: feature.cpu() for path, feature in reference.features.items()},
        {region: tokens.cpu() for region, tokens in reference.identity.items()},
        reference.input_BCHW.cpu(),
    )
