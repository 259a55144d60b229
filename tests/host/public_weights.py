"""Public models as their projects publish them, small and of random weights: names, layout, formats.

    names and full-size shapes (a fixture) --widths / 10, tokens as small--> .pth files -> cyberhost convert
    autoencoder, Whisper, wav2vec2: folders as diffusers and transformers write them

What the published configurations fix stays: 4 stages of 2 blocks, 8 heads, 32 norm groups, 4 latent channels,
CLIP's 768 and a face network's 512 numbers.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..core.weight_files import is_position, parts_of, peer_shapes, sinusoidal
from .server import REPOSITORY, Checkout

SHRINK = 10
WHISPER_WIDTH, WAV2VEC_WIDTH, WAV2VEC_LAYERS = 16, 16, 2
TOKEN_DIM = 24  # of Hallo's image and audio tokens
SMALL: Mapping[str, Mapping[int, int]] = {
    "echomimic-v2": {384: WHISPER_WIDTH},
    "hallo": {
        768: TOKEN_DIM,
        3072: 4 * TOKEN_DIM,
        24576: 32 * TOKEN_DIM,
        46080: 5 * WAV2VEC_LAYERS * WAV2VEC_WIDTH,
    },
    "animate-anyone": {},
}
MAPS = {"echomimic-v2": "pose_encoder", "animate-anyone": "pose_guider"}


def write_downloads(kind: str, folder: Path) -> Path:
    """Write a public model's own files, .pth as they are downloaded."""
    folder.mkdir(parents=True)
    weights = random_weights(_shrunk(peer_shapes(kind), SMALL[kind]))
    files = parts_of(weights, maps=MAPS[kind]) if kind in MAPS else {"net": weights}
    for stem, part in files.items():
        torch.save(part, folder / f"{stem}.pth")
    return folder


def random_weights(shapes: Mapping[str, tuple[int, ...]], *, seed: int = 0) -> dict[str, Tensor]:
    """Fill shapes so that what goes in at unit variance comes out at about that, in half precision."""
    generator = torch.Generator().manual_seed(seed)

    def values(name: str, shape: tuple[int, ...]) -> Tensor:
        if is_position(name):
            return sinusoidal(*shape[-2:]).view(shape)
        noise = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            return noise / torch.Size(shape[1:]).numel() ** 0.5
        return noise * 0.1 + (1 if "norm" in name and name.endswith(".weight") else 0)

    return {name: values(name, shape).half() for name, shape in shapes.items()}


def write_autoencoder(folder: Path, *, widths: tuple[int, ...] = (32, 32, 64, 64)) -> Path:
    """Write a folder like stabilityai/sd-vae-ft-mse."""
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    model = AutoencoderKL(
        block_out_channels=widths,
        down_block_types=["DownEncoderBlock2D"] * len(widths),
        up_block_types=["UpDecoderBlock2D"] * len(widths),
        layers_per_block=2,
        latent_channels=4,
    )
    model.decoder.conv_out.weight.data *= 3  # pictures that differ from place to place
    model.save_pretrained(folder)
    return folder


def write_whisper(folder: Path) -> Path:
    """Write a folder like openai/whisper-tiny."""
    from transformers import WhisperConfig, WhisperModel

    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=WHISPER_WIDTH,
        encoder_layers=4,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        vocab_size=64,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
    )
    WhisperModel(config).save_pretrained(folder)
    return folder


def write_wav2vec2(folder: Path) -> Path:
    """Write a folder like facebook/wav2vec2-base-960h."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=WAV2VEC_WIDTH,
        num_hidden_layers=WAV2VEC_LAYERS,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=[8] * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        vocab_size=32,
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    return folder


def convert(found: Checkout, kind: str, *words: str | Path) -> None:
    """Run the converter as README says: from the pack's folder, with ComfyUI's own Python."""
    ran = subprocess.run(
        [found.python, "-m", "cyberhost_core.cli", "convert", kind, *words, "--quiet"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@dataclass(frozen=True)
class PublicFiles:
    """Converted checkpoints by their file names, as the workflows choose them."""

    echomimic_v2: Path
    hallo: Path
    animate_anyone: Path


def write_public(found: Checkout, folder: Path) -> PublicFiles:
    """Write the downloads and convert them."""
    vae = write_autoencoder(folder / "sd-vae-ft-mse")
    ears = {
        "echomimic-v2": ("--audio-encoder", write_whisper(folder / "whisper-tiny")),
        "hallo": ("--audio-encoder", write_wav2vec2(folder / "wav2vec2-base-960h")),
        "animate-anyone": (),
    }
    made = {kind: folder / f"{kind}.safetensors" for kind in ears}
    for kind, out in made.items():
        downloads = write_downloads(kind, folder / kind)
        convert(found, kind, downloads, out, "--vae", vae, *ears[kind])
    return PublicFiles(*made.values())


def _shrunk(
    shapes: Mapping[str, tuple[int, ...]], small: Mapping[int, int]
) -> dict[str, tuple[int, ...]]:
    def size(full: int) -> int:
        return small.get(full, full // SHRINK if full % 320 == 0 else full)

    return {name: tuple(map(size, shape)) for name, shape in shapes.items()}


__all__ = ["PublicFiles", "save_file", "write_public"]
