"""Turn a checkpoint file into what the host patches, loads and offloads."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management as management
import comfy.model_patcher
import comfy.ops
import torch
from torch import Tensor, nn

from ...cyberhost_core.backbone.unet import UNet
from ...cyberhost_core.checkpoints.building import planned, require_fit
from ...cyberhost_core.checkpoints.file import StoredCheckpoint, open_checkpoint
from ...cyberhost_core.conditioners.sound import Sound
from ...cyberhost_core.systems.encoders import Encoders
from ..helpers.types import Parts
from .audio_encoder import audio_encoder
from .model import CyberHostModel, HostConfig
from .ops import host_ops
from .outside_inference import differentiable
from .vae import native_vae, stable_diffusion_vae

_DENOISER = "denoiser."


@dataclass(frozen=True)
class Loaded:
    """What one checkpoint gives; vae and audio_encoder are None where the file holds none."""

    model: Any
    parts: Parts
    vae: Any
    audio_encoder: Any


def load(path: Path) -> Loaded:
    """Load a checkpoint for ComfyUI.

    Raises:   CheckpointError: missing, a pickle, truncated, of another kind, or weights that do not fit
    """
    with differentiable():
        return _loaded(open_checkpoint(path), identity=_identity(path))


def _loaded(stored: StoredCheckpoint, *, identity: str) -> Loaded:
    denoiser = {
        key.removeprefix(_DENOISER): value
        for key, value in stored.system.items()
        if key.startswith(_DENOISER)
    }
    rest = {key: value for key, value in stored.system.items() if not key.startswith(_DENOISER)}
    dtype, cast = dtypes(sum(value.numel() for value in stored.system.values()))
    return Loaded(
        model=_denoiser(stored, denoiser, dtype=dtype, cast=cast, identity=identity),
        parts=Parts(
            encoders=_encoders(stored, rest, dtype=dtype, cast=cast),
            spec=stored.spec,
            dtype=dtype,
            identity=identity,
            picture_floor_db=float(stored.training.get("picture_floor_db", 0.0)),
        ),
        vae=_vae(stored),
        audio_encoder=_audio_encoder(stored),
    )


def _vae(stored: StoredCheckpoint) -> Any:
    if stored.autoencoder:
        return stable_diffusion_vae(*stored.autoencoder)
    return native_vae(stored.vae) if stored.vae else None


def _audio_encoder(stored: StoredCheckpoint) -> Any:
    if stored.audio_encoder is None:
        return None
    hearings = [sound.hearing for sound in stored.spec.listed(Sound)]
    return audio_encoder(*stored.audio_encoder, hearing=hearings[0]) if hearings else None


def _identity(path: Path) -> str:
    """Name a file by its name and its beginning, where names, sizes and the first weights lie."""
    with path.open("rb") as file:
        return f"{path.name} #{hashlib.sha256(file.read(1 << 22)).hexdigest()[:8]}"


def dtypes(parameters: int) -> tuple[torch.dtype, torch.dtype | None]:
    """Ask the host in what precision a network of this size is held, and computed where that differs."""
    dtype = management.unet_dtype(model_params=parameters)
    return dtype, management.unet_manual_cast(dtype, management.get_torch_device())


def _denoiser(
    stored: StoredCheckpoint,
    state: dict[str, Tensor],
    *,
    dtype: torch.dtype,
    cast: torch.dtype | None,
    identity: str,
) -> Any:
    config = HostConfig(stored.spec, stored.training.get("preview"))
    config.set_inference_dtype(dtype, cast)
    model = CyberHostModel(config, spec=stored.spec, identity=identity)
    plan = planned(lambda ops: UNet(stored.spec.unet, ops=ops))
    return filled(model, model.diffusion_model, state, plan=plan, dtype=dtype, path=stored.path)


def _encoders(
    stored: StoredCheckpoint, state: dict[str, Tensor], *, dtype: torch.dtype, cast: torch.dtype | None
) -> Any:
    operations = comfy.ops.pick_operations(dtype, cast)
    encoders = Encoders(stored.spec, ops=host_ops(operations, dtype=dtype, device=None))
    plan = planned(lambda ops: Encoders(stored.spec, ops=ops))
    return filled(encoders, encoders, state, plan=plan, dtype=dtype, path=stored.path)


def filled(
    model: nn.Module,
    part: nn.Module,
    state: dict[str, Tensor],
    *,
    plan: nn.Module,
    dtype: torch.dtype,
    path: Path,
) -> Any:
    """Patch a model and give the layers of its part their weights, each in the layer's own precision.

    Where the host loads dynamically, weights that are stored in that precision stay in the file, as its own
    do, and some layers have none before and keep the type of what they are given. So names and shapes are
    checked on `plan`, the same part of plain layers.

    Raises:   CheckpointError: names or shapes are not the part's
    """
    require_fit(plan, state, path=path)
    patcher = _patched(model)
    copied = not (hasattr(patcher, "is_dynamic") and patcher.is_dynamic())
    built = {key: value.dtype for key, value in part.state_dict().items()}
    weights = {key: value.to(built.get(key, dtype), copy=copied) for key, value in state.items()}
    part.load_state_dict(weights, assign=True)
    part.eval().requires_grad_(False)
    return patcher


def _patched(model: nn.Module) -> Any:
    # Looked up now: main.py may have replaced it by the patcher with dynamic VRAM after this was imported.
    patcher_class = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return patcher_class(
        model, load_device=management.get_torch_device(), offload_device=management.unet_offload_device()
    )
