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
from ..conditioners.sound import Sound
from ..errors import CheckpointError, ConfigError
from ..media.fit import fit_image
from ..media.images import read_image
from ..perception.wav2vec_file import read_wav2vec_folder
from ..systems.model import on_meta
from ..systems.spec import SystemSpec
from .companions import read_autoencoder
from .file import READ_FORMATS, Parts, Precision, open_checkpoint, stored_vae, write_parts
from .preview import fit_preview
from .stable_diffusion import StableDiffusionVAE, build_stable_diffusion
from .trained import read_trained

_VAE_FORMAT = "cyberhost-vae-1"


def save_vae(path: Path, vae: TinyVAE) -> None:
    """Write an autoencoder with its configuration."""
    metadata = {"format": _VAE_FORMAT, "vae": vae.config.to_json()}
    save_file({key: value.contiguous() for key, value in vae.state_dict().items()}, path, metadata)


def load_vae(path: Path) -> TinyVAE:
    """Read a small autoencoder, in evaluation mode: one that was trained alone, or one in a checkpoint.

    Raises:   CheckpointError: missing, damaged or of another kind
    """
    found = load_autoencoder(path)
    if not isinstance(found, TinyVAE):
        raise CheckpointError(
            f"{path} holds Stable Diffusion's autoencoder, but one of this package was expected; "
            "give a file made by 'cyberhost train vae', or a checkpoint that holds one."
        )
    return found


def load_autoencoder(path: Path) -> TinyVAE | StableDiffusionVAE:
    """Read an autoencoder of either kind, frozen and in evaluation mode.

    path is a file of 'cyberhost train vae', a checkpoint that holds one, or Stable Diffusion's as a diffusers
    folder or a safetensors file.

    Raises:   CheckpointError: missing, damaged, or none of these
              MissingExtraError: Stable Diffusion's needs diffusers
    """
    kind = "" if path.is_dir() else weights_metadata(path).get("format", "")
    if kind == _VAE_FORMAT:
        small = TinyVAE(TinyVAEConfig.parse(weights_metadata(path)["vae"]))
        small.load_state_dict(load_file(path))
        return small.eval().requires_grad_(False)
    if kind not in READ_FORMATS:
        return build_stable_diffusion(*read_autoencoder(path), path=path)
    found = stored_vae(open_checkpoint(path))
    if found is None:
        raise CheckpointError(
            f"The checkpoint {path} holds no autoencoder (vae.), which turns pictures into latents and back; "
            "convert it again with --vae, or give another file."
        )
    return found


def require_latents(vae: TinyVAE | StableDiffusionVAE, spec: SystemSpec, *, path: Path) -> None:
    """Refuse an autoencoder whose latents are of another kind than the system's.

    Raises:   CheckpointError: they have another number of channels
    """
    channels = vae.config.latent_channels if isinstance(vae, TinyVAE) else vae.config["latent_channels"]
    if channels != spec.unet.latent_channels:
        raise CheckpointError(
            f"The autoencoder in {path} makes latents of {channels} channels, but '{spec.name}' works on "
            f"{spec.unet.latent_channels}; give the one that the training data was prepared with."
        )


def load_weights(path: Path) -> Mapping[str, Tensor]:
    """Read the weights of a system: the averaged ones of a training run, or those of a checkpoint.

    They lie in the file until they are copied.

    Raises:   CheckpointError: missing or damaged
    """
    if weights_metadata(path).get("format") in READ_FORMATS:
        return open_checkpoint(path).system
    return load_file(path)


def load_speech(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a speech encoder: a Hugging Face folder, or the one inside a checkpoint.

    Raises:   CheckpointError: there is none
    """
    if path.is_dir():
        return read_wav2vec_folder(path)
    found = open_checkpoint(path).audio_encoder
    if found is None:
        raise CheckpointError(f"{path} holds no speech encoder (audio_encoder.); give a wav2vec2 folder.")
    return found


def pack_checkpoint(
    path: Path,
    *,
    spec: SystemSpec,
    weights: Path,
    vae: Path,
    speech: Path | None,
    licence: str,
    training: Mapping[str, Any],
    precision: Precision = "fp16",
    beside: Path | None = None,
) -> None:
    """Join averaged weights, autoencoder and speech encoder into one checkpoint.

    What latents of the small autoencoder look like is fitted on the bundled portraits and kept under
    training["preview"]; whoever shows latents knows Stable Diffusion's. Parts that the checkpoint `beside`
    has as well are left to it. Weights that say which system they are of have the last word on it, and their
    calibration on training["picture_floor_db"], unless that is given. speech: None for a system that hears
    nothing.

    Raises:   ConfigError: no speech encoder was given for a system that hears; CheckpointError: the weights
              are not those of this system, or of stage 1 alone, the autoencoder makes latents of another
              kind, or a file cannot be read or written
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
    state = load_weights(weights)
    expected = {name: value.shape for name, value in on_meta(spec).state_dict().items()}
    if expected != {name: value.shape for name, value in state.items()}:
        raise CheckpointError(
            f"{weights} does not hold the weights of '{spec.name}'; give the model.safetensors of stage 2."
        )
    autoencoder = load_autoencoder(vae)
    require_latents(autoencoder, spec, path=vae)
    preview = {"preview": _preview(autoencoder, spec)} if isinstance(autoencoder, TinyVAE) else {}
    whole = Parts(
        spec=spec,
        system=state,
        vae=autoencoder,
        audio_encoder=_speech(speech, spec),
        licence=licence,
        training={**training, **preview},
    )
    write_parts(path, whole, precision=precision, beside=beside)


def _speech(path: Path | None, spec: SystemSpec) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    if not spec.listed(Sound):
        return None
    if path is None:
        raise ConfigError(
            f"'{spec.name}' hears, and no speech encoder was given; name the one that the training data were "
            "prepared with (--speech)."
        )
    return load_speech(path)


def _preview(vae: TinyVAE, spec: SystemSpec) -> list[list[float]]:
    size = {"height": spec.height, "width": spec.width}
    pictures_NYXC = torch.from_numpy(np.stack([fit_image(read_image(path), **size) for path in portraits()]))
    return fit_preview(vae, pictures_NYXC.permute(0, 3, 1, 2).float() / 127.5 - 1)


def weights_metadata(path: Path) -> dict[str, str]:
    """Read what a safetensors file says of itself.

    Raises:   CheckpointError: missing, damaged or of another kind
    """
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({error}); give a file made by 'cyberhost train' or "
            "'cyberhost convert'."
        ) from error
