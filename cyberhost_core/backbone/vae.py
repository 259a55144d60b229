"""A small image autoencoder: pictures to latents and back, 8 x 8 pixels per cell.

    picture [3, Y, X] -> unshuffle 4 -> residual convs -> stride 2 -> latents [C, Y/8, X/8]
    latents -> residual convs -> x2 -> residual convs -> x2 -> residual convs -> shuffle 2 -> picture

It plays the part that Stable Diffusion's autoencoder plays in the paper (section 3.1) for checkpoints small
enough to bundle. No normalisation layers: on CPU they cost a third of the time, and flat cartoon colours do
better without. Latents leave standardised per channel, so that a diffusion model sees unit variance.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..config import Config

DECODE_CHUNK = 8  # frames decoded at once, by whichever autoencoder; bounds the memory


class TinyVAEConfig(Config):
    """Sizes of the autoencoder; widths from the coarsest grid (1/8) to the finest (1/2)."""

    latent_channels: int = 16
    encoder_widths: tuple[int, int] = (128, 80)
    decoder_widths: tuple[int, int, int] = (160, 96, 48)
    encoder_blocks: int = 3
    decoder_blocks: int = 3


class TinyVAE(nn.Module):
    """Map pictures to standardised latents and back.

    Shapes:   encode: (N, 3, Y, X) in -1..1, Y and X multiples of 8 -> (N, C, Y/8, X/8); decode: the reverse
    """

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: TinyVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config)
        self.decoder = _decoder(config)
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(config.latent_channels))

    def encode(self, pictures_NCYX: Tensor) -> Tensor:
        """Encode to latents of zero mean and unit variance per channel."""
        raw = self.encoder(pictures_NCYX)
        return (raw - _per_channel(self.latent_mean)) / _per_channel(self.latent_std)

    def decode(self, latents_NCHW: Tensor) -> Tensor:
        """Decode standardised latents to pictures, clamped to -1..1."""
        return self.decoder(latents_NCHW).clamp(-1, 1)

    def with_new_decoder(self, widths: tuple[int, int, int]) -> "TinyVAE":
        """Keep the encoder, and with it the latents, beside an untrained decoder of other widths."""
        other = TinyVAE(self.config.derive(decoder_widths=widths))
        other.encoder.load_state_dict(self.encoder.state_dict())
        other.latent_mean.copy_(self.latent_mean)
        other.latent_std.copy_(self.latent_std)
        return other


class ResidualConvs(nn.Module):
    """Two 3 x 3 convolutions with a skip; the second starts small, so a deep stack starts near identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.normal_(self.conv2.weight, std=1e-3)
        nn.init.zeros_(self.conv2.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(nnf.silu(self.conv1(nnf.silu(x))))


def _encoder(config: TinyVAEConfig) -> nn.Sequential:
    coarse, fine = config.encoder_widths
    return nn.Sequential(
        nn.PixelUnshuffle(4),
        nn.Conv2d(48, fine, 3, padding=1),
        *(ResidualConvs(fine) for _ in range(config.encoder_blocks)),
        nn.Conv2d(fine, coarse, 3, stride=2, padding=1),
        *(ResidualConvs(coarse) for _ in range(config.encoder_blocks)),
        nn.SiLU(),
        nn.Conv2d(coarse, config.latent_channels, 3, padding=1),
    )


def _decoder(config: TinyVAEConfig) -> nn.Sequential:
    coarse, middle, fine = config.decoder_widths
    return nn.Sequential(
        nn.Conv2d(config.latent_channels, coarse, 3, padding=1),
        *(ResidualConvs(coarse) for _ in range(config.decoder_blocks)),
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(coarse, middle, 3, padding=1),
        *(ResidualConvs(middle) for _ in range(config.decoder_blocks)),
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(middle, fine, 3, padding=1),
        *(ResidualConvs(fine) for _ in range(max(1, config.decoder_blocks - 1))),
        nn.SiLU(),
        nn.Conv2d(fine, 12, 3, padding=1),
        nn.PixelShuffle(2),
    )


def _per_channel(values_C: Tensor) -> Tensor:
    return values_C.view(1, -1, 1, 1)
