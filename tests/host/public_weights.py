"""Public models as their projects publish them, of random weights: names, layout, formats.

    names and full-size shapes (a fixture) --widths / 10, tokens as small--> .pth files -> cyberhost convert
    autoencoder, Whisper, wav2vec2: folders as diffusers and transformers write them
    CLIP's vision tower, Stable Diffusion's autoencoder: full size, which is the only one that ComfyUI knows

What the published configurations fix stays: 4 stages of 2 blocks, 8 heads, 32 norm groups, 4 latent channels,
CLIP's 768 and a face network's 512 numbers.
"""

import json
import re
import struct
from collections.abc import Callable, Mapping
from itertools import accumulate
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from cyberhost_core.checkpoints.autoencoder_names import autoencoder_shapes
from cyberhost_core.cli.main import main

from ..core.weight_files import is_position, parts_of, peer_shapes, sinusoidal

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
    folder.mkdir(parents=True)
    config = {
        "_class_name": "AutoencoderKL",
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "layers_per_block": 2,
        "block_out_channels": widths,
        "down_block_types": ["DownEncoderBlock2D"] * len(widths),
        "up_block_types": ["UpDecoderBlock2D"] * len(widths),
        "norm_num_groups": 32,
    }
    shapes = {name.removeprefix("vae."): shape for name, shape in autoencoder_shapes(config).items()}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(random_weights(shapes), folder / "diffusion_pytorch_model.safetensors")
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


def write_clip_vision(path: Path) -> Path:
    """Write CLIP's vision tower ViT-L/14 with its projection, a file of 608 MB that takes 30 on the disk.

    Its first layer mixes what the picture shows; the others hand it on, their matrices are zeros.
    """
    deep = re.compile(r"encoder\.layers\.[1-9]\d*\.(self_attn|mlp)\..*\.weight")
    return _write_sparse(path, _clip_shapes(), hollow=lambda name: deep.search(name) is not None)


def convert_all(folder: Path) -> dict[str, Path]:
    """Write every public model's downloads, convert them on the command line, and give the files by kind.

    The last one comes without an autoencoder, as a user may leave it out.
    """
    vae = write_autoencoder(folder / "sd-vae-ft-mse")
    companions = {
        "echomimic-v2": ("--vae", vae, "--audio-encoder", write_whisper(folder / "whisper-tiny")),
        "hallo": ("--vae", vae, "--audio-encoder", write_wav2vec2(folder / "wav2vec2-base-960h")),
        "animate-anyone": (),
    }
    made = {kind: folder / f"{kind}.safetensors" for kind in companions}
    for kind, out in made.items():
        downloads = write_downloads(kind, folder / kind)
        words = ["convert", kind, downloads, out, *companions[kind], "--quiet"]
        assert main([str(word) for word in words]) == 0
    return made


def _shrunk(shapes: Mapping[str, tuple[int, ...]], small: Mapping[int, int]) -> dict[str, tuple[int, ...]]:
    def size(full: int) -> int:
        return small.get(full, full // SHRINK if full % 320 == 0 else full)

    return {name: tuple(map(size, shape)) for name, shape in shapes.items()}


def _clip_shapes() -> dict[str, tuple[int, ...]]:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        patch_size=14,
        projection_dim=768,
    )
    with torch.device("meta"):
        model = CLIPVisionModelWithProjection(config)
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def _write_sparse(
    path: Path, shapes: Mapping[str, tuple[int, ...]], *, hollow: Callable[[str], bool]
) -> Path:
    """Write a safetensors file in which some tensors are zeros, which take no room on the disk."""
    sizes = {name: 2 * torch.Size(shape).numel() for name, shape in shapes.items()}
    ends = dict(zip(sizes, accumulate(sizes.values()), strict=True))
    described = {
        name: {"dtype": "F16", "shape": shape, "data_offsets": [ends[name] - sizes[name], ends[name]]}
        for name, shape in shapes.items()
    }
    header = json.dumps(described).encode()
    header += b" " * (-len(header) % 8)
    filled = random_weights({name: shape for name, shape in shapes.items() if not hollow(name)})
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        start = file.tell()
        for name, value in filled.items():
            file.seek(start + ends[name] - sizes[name])
            file.write(value.numpy().tobytes())
        file.truncate(start + max(ends.values()))
    return path
