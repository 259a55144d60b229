"""Weight files as other projects write them, for the tests of the converter: full-size names, any values.

peer_shapes      names and shapes of a public model, from the fixture
shrunk           the same names at a size that can be filled with real values
random_weights   names and shapes -> values, positions as they should be
write_sparse     a safetensors file of full size that takes no room on the disk
"""

import json
import lzma
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from cyberhost_core.backbone.motion_module import sinusoidal

KEYS = Path(__file__).parent / "fixtures" / "peer_keys" / "peer_keys.txt.xz"
Shapes = dict[str, tuple[int, ...]]

# token sizes and the like; widths of the U-Net, all multiples of 320, are divided by SHRINK
SHRINK = 20
SMALL = {768: 24, 384: 12, 512: 16, 46080: 5 * 3 * 8, 24576: 32 * 24, 3072: 4 * 24}


@cache
def _all_shapes() -> dict[str, Shapes]:
    found: dict[str, Shapes] = {}
    for line in lzma.decompress(KEYS.read_bytes()).decode().splitlines():
        kind, name, shape = line.split(" ")
        found.setdefault(kind, {})[name] = tuple(map(int, shape.split("x")))
    return found


def peer_shapes(kind: str) -> Shapes:
    return dict(_all_shapes()[kind])


def shrunk(shapes: Shapes) -> Shapes:
    def small(size: int) -> int:
        return SMALL.get(size, size // SHRINK if size % 320 == 0 else size)

    return {name: tuple(map(small, shape)) for name, shape in shapes.items()}


def random_weights(shapes: Shapes, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: sinusoidal(*shape[-2:]).view(shape).to(dtype)
        if is_position(name)
        else torch.randn(shape, generator=generator).to(dtype)
        for name, shape in shapes.items()
    }


def is_position(name: str) -> bool:
    return name.endswith((".pos_encoder.pe", ".pos_embed.pe"))


def parts_of(weights: Mapping[str, Tensor], *, maps: str) -> dict[str, dict[str, Tensor]]:
    """Split as EchoMimicV2 and Moore-AnimateAnyone ship them: file name -> names without a prefix."""
    files = {
        "denoising_unet": "denoising_unet.",
        "reference_unet": "reference_unet.",
        maps: f"{maps}.",
    }
    parts = {
        stem: {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        for stem, prefix in files.items()
    }
    denoiser = parts["denoising_unet"]
    motion = {name: denoiser.pop(name) for name in list(denoiser) if ".motion_modules." in name}
    return {**parts, "motion_module": motion}


def write_sparse(path: Path, shapes: Shapes, *, prefix: str = "") -> Path:
    """Write 16-bit zeros as a hole in the file; positions get their values."""
    described, offset, positions = {}, 0, []
    for name, shape in shapes.items():
        size = 2 * torch.Size(shape).numel()
        described[prefix + name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + size]}
        if is_position(name):
            positions.append((offset, sinusoidal(*shape[-2:]).half()))
        offset += size
    header = json.dumps(described).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        start = file.tell()
        for place, table in positions:
            file.seek(start + place)
            file.write(table.numpy().tobytes())
        file.truncate(start + offset)
    return path
