"""Which autoencoder a system's latents belong to: how it is built, and how it decodes.

latents of 4 channels -> Stable Diffusion's (diffusers' AutoencoderKL)      others -> the small one
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..backbone.vae import TinyVAE, TinyVAEConfig
from ..errors import CheckpointError, require_extra
from ..systems.spec import SystemSpec
from .file import StoredCheckpoint

# Source: config.json of stabilityai/sd-vae-ft-mse
STABLE_DIFFUSION = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
}
_STABLE_DIFFUSION_CHANNELS = 4


@dataclass(frozen=True)
class Autoencoder:
    """Hold how to build an autoencoder (with random weights) and how to decode latents with it."""

    label: str
    build: Callable[[], nn.Module]
    decode: Callable[[Any, Tensor], Tensor]


def usual_autoencoder(spec: SystemSpec) -> Autoencoder:
    """The autoencoder that latents of so many channels come from."""
    channels = spec.unet.latent_channels
    if channels == _STABLE_DIFFUSION_CHANNELS:
        return _stable_diffusion(STABLE_DIFFUSION)
    return _small(TinyVAEConfig(latent_channels=channels))


def stored_autoencoder(stored: StoredCheckpoint) -> Autoencoder:
    """The autoencoder in a file, or the usual one where it holds none."""
    if stored.vae is not None:
        return _small(stored.vae.config)
    if stored.autoencoder is not None:
        return _stable_diffusion(stored.autoencoder[1])
    return usual_autoencoder(stored.spec)


def build_stable_diffusion(
    state: Mapping[str, Tensor], config: Mapping[str, Any], *, path: Path
) -> nn.Module:
    """Build Stable Diffusion's autoencoder with its weights, in float32.

    Raises:   CheckpointError: they do not fit the configuration; path is named
    """
    network = _stable_diffusion(config).build()
    try:
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise CheckpointError(
            f"The autoencoder in {path} does not fit its configuration; convert it again."
        ) from error
    return network


def _small(config: TinyVAEConfig) -> Autoencoder:
    return Autoencoder("the small autoencoder", lambda: TinyVAE(config), lambda vae, x: vae.decode(x))


def _stable_diffusion(config: Mapping[str, Any]) -> Autoencoder:
    def build() -> nn.Module:
        try:
            from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
        except ImportError as error:
            raise require_extra(
                "diffusers", extra="standalone", purpose="Stable Diffusion's autoencoder"
            ) from error
        known = {name: value for name, value in config.items() if not name.startswith("_")}
        return AutoencoderKL(**known)

    return Autoencoder("Stable Diffusion's autoencoder", build, lambda vae, x: vae.decode(x).sample)
