"""Which autoencoder a system's latents belong to: how it is built, and how it decodes, to count and time it.

latents of 4 channels -> Stable Diffusion's (diffusers' AutoencoderKL)      others -> the small one
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..backbone.vae import TinyVAE, TinyVAEConfig
from ..systems.spec import SystemSpec
from .file import StoredCheckpoint
from .stable_diffusion import STABLE_DIFFUSION, stable_diffusion_network

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


def _small(config: TinyVAEConfig) -> Autoencoder:
    return Autoencoder("the small autoencoder", lambda: TinyVAE(config), lambda vae, x: vae.decode(x))


def _stable_diffusion(config: Mapping[str, Any]) -> Autoencoder:
    return Autoencoder(
        "Stable Diffusion's autoencoder",
        lambda: stable_diffusion_network(config),
        lambda vae, x: vae.decode(x).sample,
    )
