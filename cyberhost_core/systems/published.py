"""The public relatives at the sizes of their published files: to count and time them without the files.

What is written here are those shapes that systems.public reads.
"""

from collections.abc import Callable
from itertools import pairwise

from .public import PEERS, PeerConfig, Shapes
from .spec import SystemSpec

_CHANNELS = (320, 640, 1280, 1280)
_ATTENTIVE = 3  # the first stages, and their mirror images
_BLOCK = "denoiser.mid_block.attentions.0.transformer_blocks.0"


def published(name: str) -> SystemSpec:
    """Describe a public relative as its project published it."""
    return PEERS[name]({**_unet(), **_OWN[name]()}, PeerConfig())


def _unet() -> Shapes:
    """Stable Diffusion 1.5's, which all three grew from."""
    shapes: dict[str, tuple[int, ...]] = {"denoiser.conv_in.weight": (320, 4, 3, 3)}
    for stage, width in enumerate(_CHANNELS):
        block, before = f"denoiser.down_blocks.{stage}", _CHANNELS[max(stage - 1, 0)]
        shapes[f"{block}.resnets.0.conv1.weight"] = (width, before, 3, 3)
        shapes[f"{block}.resnets.1.conv1.weight"] = (width, width, 3, 3)
        if stage < _ATTENTIVE:
            shapes[f"{block}.attentions.0.norm.weight"] = (width,)
    return shapes


def _map_encoder(*widths: int) -> Shapes:
    shapes: dict[str, tuple[int, ...]] = {"movement_encoder.conv_in.weight": (widths[0], 3, 3, 3)}
    for block, (width, wider) in enumerate(pairwise(widths)):
        shapes[f"movement_encoder.blocks.{2 * block}.weight"] = (width, width, 3, 3)
        shapes[f"movement_encoder.blocks.{2 * block + 1}.weight"] = (wider, width, 3, 3)
    return shapes


def _echomimic_v2() -> Shapes:
    return {f"{_BLOCK}.attn_audio.to_k.weight": (1280, 384), **_map_encoder(16, 32, 96, 256)}


def _animate_anyone() -> Shapes:
    return {f"{_BLOCK}.attn2.to_k.weight": (1280, 768), **_map_encoder(16, 32, 96, 256)}


def _hallo() -> Shapes:
    # An audio transformer is as wide as the input of its block's first resnet: a slip that the weights carry.
    inner = {"mid_block.0": 1280}
    inner |= {"down_blocks.0.0": 320, "down_blocks.0.1": 320, "down_blocks.1.0": 320, "down_blocks.1.1": 640}
    inner |= {"down_blocks.2.0": 640, "down_blocks.2.1": 1280}
    inner |= {f"up_blocks.{block}.{index}": width for block, width in ((1, 640), (2, 320), (3, 320))
              for index in range(3)}  # fmt: skip
    sites = {site.rpartition(".")[::2]: width for site, width in inner.items()}
    return {
        f"{_BLOCK}.attn2.to_k.weight": (1280, 768),
        "image_projection.proj.weight": (4 * 768, 512),
        "image_projection.norm.weight": (768,),
        "audio_projection.proj1.weight": (512, 5 * 12 * 768),
        "audio_projection.proj3.weight": (32 * 768, 512),
        "audio_projection.norm.weight": (768,),
        **{
            f"denoiser.{block}.audio_modules.{index}.proj_in.weight": (width, width, 1, 1)
            for (block, index), width in sites.items()
        },
        **_map_encoder(16, 32, 64, 128),
    }


_OWN: dict[str, Callable[[], Shapes]] = {
    "echomimic-v2": _echomimic_v2,
    "hallo": _hallo,
    "animate-anyone": _animate_anyone,
}
