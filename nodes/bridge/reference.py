"""Run the encoders on the reference picture, on the device the host chooses."""

from typing import TYPE_CHECKING, Any

import comfy.model_management as management
import numpy as np
import torch
from torch import Tensor

from ...cyberhost_core.conditioners.asks import EMBEDDING, FACE, HANDS, POSE, Ask, require_all
from ...cyberhost_core.conditioners.conditioner import Given
from ...cyberhost_core.conditioners.values import Encoded
from ...cyberhost_core.errors import CheckpointError
from ...cyberhost_core.sampling.chain import opening_frames
from ...cyberhost_core.sampling.portrait import portrait_inputs
from ..helpers.types import Parts, ReferenceBank
from .outside_inference import differentiable

if TYPE_CHECKING:
    from ...cyberhost_core.systems.encoders import Encoders

_HOW: dict[Ask, str] = {
    POSE: "connect DWPose Detector's pose of this picture to pose",
    HANDS: "connect Region Crops to crops",
    FACE: "connect Region Crops to crops",
    EMBEDDING: "connect CLIP Vision Encode of this picture to clip_vision_output",
}


def read_reference(
    parts: Parts, vae: Any, picture_YXC: np.ndarray, *, known: Given
) -> tuple[ReferenceBank, list[Ask]]:
    """Encode a portrait; gives also what was connected without effect.

    Shapes:   picture (Y, X, 3) uint8
    Raises:   CheckpointError: no autoencoder, or another checkpoint's; ConfigError: something that the system
              needs is missing; whatever portrait_inputs refuses
    """
    spec = parts.spec
    asked = spec.asks_of_portrait
    unused = require_all(asked, {ask: ask in known for ask in _HOW}, system=spec.name, how=_HOW)
    if vae is None:
        raise CheckpointError(
            f"'{spec.name}' came without an autoencoder, but one was expected on vae; connect Load VAE with "
            "vae-ft-mse-840000-ema-pruned.safetensors here and wherever frames are decoded, or convert the "
            "checkpoint again with --vae."
        )
    inputs = portrait_inputs(
        spec, picture_YXC, known, autoencoder=_HostAutoencoder(vae), floor_db=parts.picture_floor_db
    )
    reference, opening = _encoded(parts, inputs)
    height, width = picture_YXC.shape[:2]
    bank = ReferenceBank(reference, opening, parts.identity, height, width)
    return bank, _without_wire_mates(unused, asked)


def _encoded(parts: Parts, inputs: dict[str, Tensor]) -> tuple[Encoded, Encoded]:
    management.load_models_gpu([parts.encoders])
    encoders: Encoders = parts.encoders.model
    device, cpu = parts.encoders.load_device, torch.device("cpu")
    with differentiable():
        found = encoders.read(Encoded(inputs).to(device, parts.dtype).values)
        before = opening_frames(parts.spec, found["latents"])
        opening = encoders.follow(before[None], found)
        return found.to(cpu, parts.dtype), opening.to(cpu, parts.dtype)


def _without_wire_mates(unused: list[Ask], asked: list[Ask]) -> list[Ask]:
    """One wire brings hands and face: it has an effect if either is asked for, and is named once if not."""
    return [ask for ask in unused if ask not in (HANDS, FACE) or (ask == FACE and HANDS not in asked)]


class _HostAutoencoder:
    """ComfyUI's VAE, whose pictures are (N, Y, X, 3) in 0..1."""

    def __init__(self, vae: Any) -> None:
        self.vae = vae

    def encode(self, picture_YXC: np.ndarray) -> Tensor:
        return self.vae.encode(torch.from_numpy(picture_YXC.copy())[None].float() / 255)

    def decode(self, latents_NCHW: Tensor) -> Tensor:
        return self.vae.decode(latents_NCHW)[..., :3].permute(0, 3, 1, 2) * 2 - 1
