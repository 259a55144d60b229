"""Single parts on disk: a trained autoencoder, and the packing of parts into one checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ..backbone.vae import TinyVAE, TinyVAEConfig
from ..errors import CheckpointError
from ..perception.wav2vec_file import read_wav2vec_folder
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from .file import Checkpoint, save_checkpoint

_VAE_FORMAT = "cyberhost-vae-1"


def save_vae(path: Path, vae: TinyVAE) -> None:
    """Write an autoencoder with its configuration."""
    metadata = {"format": _VAE_FORMAT, "vae": vae.config.to_json()}
    save_file({key: value.contiguous() for key, value in vae.state_dict().items()}, path, metadata)


def load_vae(path: Path) -> TinyVAE:
    """Read an autoencoder, in evaluation mode.

    Raises:   CheckpointError: missing, damaged or of another kind
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read as an autoencoder ({error}); train one with 'cyberhost train vae'."
        ) from error
    if metadata.get("format") != _VAE_FORMAT:
        raise CheckpointError(
            f"{path} holds no autoencoder of this package; give a file made by 'cyberhost train vae'."
        )
    vae = TinyVAE(TinyVAEConfig.parse(metadata["vae"]))
    vae.load_state_dict(load_file(path))
    return vae.eval().requires_grad_(False)


def pack_checkpoint(
    path: Path,
    *,
    spec: SystemSpec,
    weights: Path,
    vae: Path,
    speech: Path,
    licence: str,
    training: Mapping[str, Any],
) -> None:
    """Join averaged weights, autoencoder and speech encoder into one checkpoint with eight-bit weights.

    Raises:   CheckpointError: the weights are not those of this system
    """
    model = SystemModel(spec)
    try:
        model.load_state_dict(load_file(weights))
    except RuntimeError as error:
        raise CheckpointError(
            f"{weights} does not hold the weights of '{spec.name}'; give the model.safetensors of stage 2."
        ) from error
    whole = Checkpoint(
        model=model,
        vae=load_vae(vae),
        audio_encoder=read_wav2vec_folder(speech),
        licence=licence,
        training=training,
    )
    save_checkpoint(path, whole, eight_bit=True)
