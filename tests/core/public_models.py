"""The public models at a tenth of their width, converted on the command line, and what else they need.

converted       kind -> weights file; made once for all tests of a process
networks        kind -> outside networks: AnimateAnyone has CLIP's tower, and another file's autoencoder
GESTURE, CLIP   the bundled hand track and driving clip, the same gesture of the same puppet
"""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import torch

from cyberhost_core import bundled
from cyberhost_core.pipeline.options import Networks

from ..host.public_weights import convert_all

GESTURE = bundled.FOLDER / "hand-tracks" / "puppet_gesture.json"
CLIP = bundled.FOLDER / "clips" / "puppet_gesture.mp4"


@cache
def converted() -> dict[str, Path]:
    return convert_all(Path(mkdtemp(prefix="public-models-")) / "models")


def networks(kind: str) -> Networks:
    if kind != "animate-anyone":
        return Networks()
    return Networks(clip_vision=_vision_tower(), vae=converted()["hallo"])


@cache
def _vision_tower() -> Path:
    """Write a small vision tower whose vectors are as long as CLIP's."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    folder = Path(mkdtemp(prefix="clip-vision-"))
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=768,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder
