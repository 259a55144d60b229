"""Single parts on disk: autoencoder, weights, speech encoder; and their packing into one checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..backbone.vae import TinyVAE, TinyVAEConfig
from ..bundled import portraits
from ..errors import CheckpointError
from ..media.fit import fit_image
from ..media.images import read_image
from ..perception.wav2vec_file import read_wav2vec_folder
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from .file import READ_FORMATS, Checkpoint, load_checkpoint, save_checkpoint
from .preview import fit_preview
from .trained import read_trained

_VAE_FORMAT = "cyberhost-vae-1"


def save_vae(path: Path, vae: TinyVAE) -> None:
    """Write an autoencoder with its configuration."""
    metadata = {"format": _VAE_FORMAT, "vae": vae.config.to_json()}
    save_file({key: value.contiguous() for key, value in vae.state_dict().items()}, path, metadata)


def load_vae(path: Path) -> TinyVAE:
    """Read an autoencoder, in evaluation mode: one that was trained alone, or the one inside a checkpoint.

    Raises:   CheckpointError: missing, damaged or of another kind
    """
    metadata = _metadata(path)
    if metadata.get("format") in READ_FORMATS:
        whole = load_checkpoint(path)
        if whole.vae is not None:
            return whole.vae
    if metadata.get("format") != _VAE_FORMAT:
        raise CheckpointError(
            f"{path} holds no autoencoder of this package; "
            "give a file made by 'cyberhost train vae', or a checkpoint."
        )
    vae = TinyVAE(TinyVAEConfig.parse(metadata["vae"]))
    vae.load_state_dict(load_file(path))
    return vae.eval().requires_grad_(False)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a system: the averaged ones of a training run, or those of a checkpoint.

    Raises:   CheckpointError: missing or damaged
    """
    if _metadata(path).get("format") in READ_FORMATS:
        return load_checkpoint(path).model.state_dict()
    return load_file(path)


def load_speech(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a speech encoder: a Hugging Face folder, or the one inside a checkpoint.

    Raises:   CheckpointError: there is none
    """
    if path.is_dir():
        return read_wav2vec_folder(path)
    found = load_checkpoint(path).audio_encoder
    if found is None:
        raise CheckpointError(f"{path} holds no speech encoder (audio_encoder.); give a wav2vec2 folder.")
    return found


def pack_checkpoint(
    path: Path,
    *,
    spec: SystemSpec,
    weights: Path,
    vae: Path,
    speech: Path,
    licence: str,
    training: Mapping[str, Any],
    beside: Path | None = None,
) -> None:
    """Join averaged weights, autoencoder and speech encoder into one checkpoint with eight-bit weights.

    What latents look like is fitted on the bundled portraits and kept under training["preview"]. Parts that
    the checkpoint `beside` has as well are left to it. Weights that say which system they are of have the
    last word on it, and their calibration on training["picture_floor_db"], unless that is given.

    Raises:   CheckpointError: the weights are not those of this system, or of stage 1 alone
    """
    trained = read_trained(weights)
    if trained is not None:
        if trained.stage == "image":
            raise CheckpointError(
                f"{weights} was trained in stage 1 alone, on single pictures; give the model.safetensors of "
                "stage 2, 'cyberhost train video'."
            )
        spec = trained.spec
        training = {"picture_floor_db": trained.calibration.picture_floor_db, **training}
    model = SystemModel(spec)
    try:
        model.load_state_dict(load_file(weights))
    except RuntimeError as error:
        raise CheckpointError(
            f"{weights} does not hold the weights of '{spec.name}'; give the model.safetensors of stage 2."
        ) from error
    autoencoder = load_vae(vae)
    size = {"height": spec.height, "width": spec.width}
    pictures_NYXC = torch.from_numpy(np.stack([fit_image(read_image(path), **size) for path in portraits()]))
    preview = fit_preview(autoencoder, pictures_NYXC.permute(0, 3, 1, 2).float() / 127.5 - 1)
    whole = Checkpoint(
        model=model,
        vae=autoencoder,
        audio_encoder=load_speech(speech),
        licence=licence,
        training={**training, "preview": preview},
    )
    save_checkpoint(path, whole, eight_bit=True, beside=beside)


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({error}); give a file made by 'cyberhost train'."
        ) from error
