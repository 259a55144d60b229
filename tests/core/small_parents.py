"""The full-size systems at a width that two cores can train, and random parents in the files' own formats.

narrow          a published system, its U-Net that of the small parents
save_parents    Stable Diffusion's U-Net and autoencoder, AnimateDiff, wav2vec2, as they are downloaded
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import MotionAdapter
from transformers import Wav2Vec2Model

from cyberhost_core.backbone.latents_bank import BankConfig
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.systems.cyberhost import map_regions
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.twins.speech import SpeechTwinConfig, save_speech_twin

HEADS = 2


def narrow(
    system: SystemSpec, *, widths: Sequence[int], groups: int, feature_dim: int, height: int, width: int
) -> SystemSpec:
    """The same layers and conditioners, and banks and regions as small as they get."""
    banks = (BankConfig(axis="spatial", spatial=6, rows=2), BankConfig(axis="temporal", temporal=3))
    layers = tuple(
        layer.derive(heads=HEADS) if layer.kind in ("spatial_transformer", "motion_module") else layer
        for layer in system.unet.layers
    )
    plain = tuple(layer.derive(heads=HEADS) for layer in system.unet.plain_layers)
    unet = system.unet.derive(channels=tuple(widths), norm_groups=groups, layers=layers, plain_layers=plain)
    small = map_regions(
        system.derive(unet=unet, height=height, width=width),
        lambda ram: ram.derive(width=16, heads=HEADS, banks=banks, mask_width=4),
    )
    return small.changing(Sound, lambda sound: sound.derive(feature_dim=feature_dim))


@dataclass(frozen=True)
class Parents:
    """Where the downloads lie; feature_dim: numbers that the speech encoder gives per step."""

    unet: Path
    motion: Path
    vae: Path
    speech: Path
    feature_dim: int


def save_parents(folder: Path, *, widths: Sequence[int]) -> Parents:
    """Write random parents."""
    sizes = tuple(widths)
    UNet2DConditionModel(
        block_out_channels=sizes, cross_attention_dim=24, attention_head_dim=HEADS
    ).save_pretrained(folder / "sd" / "unet")
    MotionAdapter(
        block_out_channels=sizes, motion_num_attention_heads=HEADS, motion_max_seq_length=32
    ).save_pretrained(folder / "animatediff")
    AutoencoderKL(
        block_out_channels=(32, 32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    ).save_pretrained(folder / "sd-vae")
    speech = SpeechTwinConfig(hidden=16, layers=2, heads=2, intermediate=32, channels=16)
    save_speech_twin(Wav2Vec2Model(speech.network()), folder / "wav2vec2")
    return Parents(
        unet=folder / "sd",
        motion=folder / "animatediff",
        vae=folder / "sd-vae",
        speech=folder / "wav2vec2",
        feature_dim=(speech.layers + 2) * speech.hidden,
    )
