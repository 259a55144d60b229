"""Run the encoders on the reference picture, on the device the host chooses."""

from dataclasses import dataclass
from typing import Any

import comfy.model_management as management
import numpy as np
import torch

from ...cyberhost_core.controls.skeleton_map import draw_skeleton
from ...cyberhost_core.errors import CheckpointError, ConfigError, ImageError
from ...cyberhost_core.systems.encoders import Encoders, Motion, Reference
from ...cyberhost_core.systems.long_video import opening_frames
from ...cyberhost_core.systems.spec import LongVideoSpec, SystemSpec
from ...cyberhost_core.systems.track import NO_MOTION
from ...cyberhost_core.systems.wants import Want, require_wanted, wants
from ...cyberhost_core.types import Pose
from ..helpers.types import Crops, Parts, ReferenceBank

_WHERE: dict[Want, str] = {
    "pose": "connect DWPose Detector's pose of this picture to pose",
    "hands": "connect Region Crops to crops",
    "face": "connect Region Crops to crops",
    "embedding": "connect CLIP Vision Encode of this picture to clip_vision_output",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """What is known of the portrait, as it comes from the wires; None where nothing is connected.

    Shapes:   embedding_D (D,), CLIP's
    """

    pose: Pose | None
    crops: Crops | None
    embedding_D: torch.Tensor | None


def read_reference(
    parts: Parts, vae: Any, picture_YXC: np.ndarray, *, seen: Seen
) -> tuple[ReferenceBank, list[str]]:
    """Encode a portrait; gives also what was connected in vain.

    Shapes:   picture (Y, X, 3) uint8
    Raises:   ImageError: another size than the model's, or unlike anything it was trained on;
              CheckpointError: the autoencoder belongs to another checkpoint; ConfigError: something that the
              system needs is missing
    """
    spec = parts.spec
    height, width = picture_YXC.shape[:2]
    _require_size(spec, height, width)
    # one wire brings hands and face
    cropped: list[Want] = [want for want in ("hands", "face") if want in wants(spec)] or ["face"]
    given: dict[Want, bool] = {
        "pose": seen.pose is not None,
        **dict.fromkeys(cropped, seen.crops is not None),
        "embedding": seen.embedding_D is not None,
    }
    in_vain = require_wanted(spec, given, where=_WHERE)
    _require_autoencoder(vae, name=spec.name)
    pixels = torch.from_numpy(picture_YXC.copy())[None].float() / 255
    latents = vae.encode(pixels)
    if latents.ndim != 4 or latents.shape[1] != spec.unet.latent_channels:
        raise CheckpointError(
            f"The VAE gives latents of shape {list(latents.shape)}, but '{spec.name}' has "
            f"{spec.unet.latent_channels} channels; connect the vae output of the same Load CyberHost node, "
            "or load the VAE that the checkpoint was trained with."
        )
    _require_known(pixels, vae, latents, floor_db=parts.picture_floor_db, name=spec.name)
    reference, opening = _encoded(parts, latents * spec.latent_scale, seen)
    return ReferenceBank(reference, opening, parts.identity, seen.pose, height, width), in_vain


@torch.inference_mode()
def _encoded(parts: Parts, latents_1CHW: torch.Tensor, seen: Seen) -> tuple[Reference, Motion]:
    management.load_models_gpu([parts.encoders])
    encoders: Encoders = parts.encoders.model
    device, dtype = parts.encoders.load_device, encoders.reference_net.conv_in.weight.dtype
    given: dict[str, torch.Tensor] = {"latents_BCHW": latents_1CHW}
    if seen.pose is not None:
        given["skeleton_BCYX"] = draw_skeleton(seen.pose)
    if seen.crops is not None:
        given["hand_crops_BHCYX"] = seen.crops.hands_HCYX[None]
        given["face_vector_BD"] = seen.crops.face_D[None]
    image = parts.spec.image_tokens
    if image is not None:
        vector_D = seen.embedding_D if image.source == "clip" else seen.crops and seen.crops.raw_face_D
        given["image_vector_BD"] = _sized(vector_D, image.vector_dim)[None]
    found = encoders.encode_reference(**{name: value.to(device, dtype) for name, value in given.items()})
    long, opening = parts.spec.long_video, NO_MOTION
    if isinstance(long, LongVideoSpec) and len(frames := opening_frames(long, found)):
        opening = encoders.encode_motion(frames[None], found)
    cpu = torch.device("cpu")
    return found.to(cpu, dtype), opening.to(cpu, dtype)


def _require_autoencoder(vae: Any, *, name: str) -> None:
    if vae is None:
        raise CheckpointError(
            f"'{name}' came without an autoencoder, but one was expected on vae; connect Load VAE with "
            "vae-ft-mse-840000-ema-pruned.safetensors here and wherever frames are decoded, or convert the "
            "checkpoint again with --vae."
        )


def _require_size(spec: SystemSpec, height: int, width: int) -> None:
    if spec.any_size:
        if height % 8 or width % 8:
            raise ImageError(
                f"The reference picture has {width} x {height} pixels, but '{spec.name}' needs sides that "
                "are multiples of 8; put an Upscale Image node before, with such sizes and crop 'center'."
            )
    elif (height, width) != (spec.height, spec.width):
        raise ImageError(
            f"The reference picture has {width} x {height} pixels, but '{spec.name}' works at {spec.width} x "
            f"{spec.height}; put an Upscale Image node before, with these sizes and crop 'center'."
        )


def _sized(vector_D: torch.Tensor, size: int) -> torch.Tensor:
    if vector_D.shape != (size,):
        raise ConfigError(
            f"The vector of the reference picture has {vector_D.numel()} numbers, but the system was trained "
            f"on {size}; load the CLIP vision or face network that belongs to the checkpoint."
        )
    return vector_D


def _require_known(
    pixels_BYXC: torch.Tensor, vae: Any, latents: torch.Tensor, *, floor_db: float, name: str
) -> None:
    """Refuse what the autoencoder cannot give back, for those that know little of the world."""
    if not floor_db:
        return
    again_BYXC = vae.decode(latents)
    error = float((again_BYXC[..., :3].cpu() - pixels_BYXC).pow(2).mean())
    decibels = -10 * np.log10(max(error, 1e-10))
    if decibels < floor_db:
        raise ImageError(
            f"The picture is unlike what '{name}' was trained on (it comes back from its autoencoder with "
            f"{decibels:.1f} dB, at least {floor_db:.1f} dB was expected): the bundled model knows drawn "
            "puppets only; use a bundled portrait, or load weights for people."
        )
