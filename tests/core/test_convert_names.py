"""Our names for Stable Diffusion's and AnimateDiff's weights are those that diffusers' converters make."""

from typing import Any

import pytest
import torch
from diffusers.loaders import single_file_utils as theirs
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import MotionAdapter
from torch import Tensor, nn

from cyberhost_core.checkpoints.autoencoder_names import (
    autoencoder_config,
    autoencoder_fates,
    autoencoder_shapes,
    our_autoencoder_name,
)
from cyberhost_core.checkpoints.motion_names import our_motion_name
from cyberhost_core.checkpoints.unet_names import our_unet_name

from .original_names import SD_WIDTHS, VAE_WIDTHS, Shapes, original_autoencoder, original_unet
from .weight_files import is_position, peer_shapes

UNETS: dict[str, dict[str, Any]] = {
    "Stable Diffusion 1.5": {
        "block_out_channels": SD_WIDTHS,
        "layers_per_block": 2,
        "cross_attention_dim": 768,
    },
    "shallow": {"block_out_channels": (64, 32, 96, 32), "layers_per_block": 1, "cross_attention_dim": 24},
    "deep": {"block_out_channels": (32, 32, 64, 64), "layers_per_block": 3, "cross_attention_dim": 24},
}
VAES: dict[str, dict[str, Any]] = {
    "sd-vae-ft-mse": {"block_out_channels": VAE_WIDTHS, "layers_per_block": 2},
    "small": {"block_out_channels": (32, 64, 32), "layers_per_block": 1},
}


def on_meta(model: type[nn.Module], **config: Any) -> dict[str, Tensor]:
    with torch.device("meta"):
        return model(**config).state_dict()


def shapes_of(state: dict[str, Tensor]) -> Shapes:
    return {name: tuple(value.shape) for name, value in state.items()}


def meta_tensors(shapes: Shapes, prefix: str) -> dict[str, Tensor]:
    return {prefix + name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def mapping(converted: dict[str, Tensor], given: dict[str, Tensor], prefix: str) -> dict[str, str]:
    """Which original name became which: the converter hands on the tensors themselves."""
    names = {id(value): name.removeprefix(prefix) for name, value in given.items()}
    return {names[id(value)]: name for name, value in converted.items()}


@pytest.mark.parametrize("size", UNETS)
def test_original_unet_names_become_what_diffusers_makes_of_them(size: str) -> None:
    config = UNETS[size]
    prefix = "model.diffusion_model."
    original = original_unet(
        config["block_out_channels"], resnets=config["layers_per_block"], tokens=config["cross_attention_dim"]
    )
    given = meta_tensors(original, prefix)
    converted = theirs.convert_ldm_unet_checkpoint(given, {"layers_per_block": config["layers_per_block"]})
    assert shapes_of(converted) == shapes_of(
        on_meta(UNet2DConditionModel, attention_head_dim=2, norm_num_groups=8, **config)
    ), "the list of original names is right"
    expected = mapping(converted, given, prefix)
    per_resolution = config["layers_per_block"] + 1
    assert {name: our_unet_name(name, per_resolution=per_resolution) for name in original} == expected


def test_stable_diffusion_1_5_has_as_many_weights_as_its_published_file() -> None:
    assert len(original_unet()) == 686


@pytest.mark.parametrize("size", VAES)
def test_original_autoencoder_names_become_what_diffusers_makes_of_them(size: str) -> None:
    config = VAES[size]
    stages, layers = len(config["block_out_channels"]), config["layers_per_block"]
    kinds = {
        "down_block_types": ["DownEncoderBlock2D"] * stages,
        "up_block_types": ["UpDecoderBlock2D"] * stages,
    }
    prefix = "first_stage_model."
    original = original_autoencoder(config["block_out_channels"], resnets=layers)
    given = meta_tensors(original, prefix)
    converted = theirs.convert_ldm_vae_checkpoint(given, {**kinds, **config})
    ours = {name: our_autoencoder_name(name, stages=stages) for name in original}
    wanted = shapes_of(on_meta(AutoencoderKL, latent_channels=4, norm_num_groups=8, **kinds, **config))
    assert set(ours.values()) == converted.keys() == wanted.keys()
    # Linear layers were 1 x 1 convolutions; their converter makes new tensors of those.
    kept = {id(value): name.removeprefix(prefix) for name, value in given.items()}
    pairs = {kept[id(value)]: name for name, value in converted.items() if id(value) in kept}
    assert len(pairs) >= len(original) - 8
    assert {name: ours[name] for name in pairs} == pairs
    described = autoencoder_config({f"vae.{name}": shape for name, shape in wanted.items()})
    assert described["block_out_channels"] == list(config["block_out_channels"])
    assert described["layers_per_block"] == layers
    assert autoencoder_shapes(described) == {f"vae.{name}": shape for name, shape in wanted.items()}
    fate = autoencoder_fates(given)
    attention = "decoder.mid.attn_1.proj_out.weight"
    assert fate(prefix + attention).as_linear
    assert fate(prefix + attention).names == ("vae.decoder.mid_block.attentions.0.to_out.0.weight",)


def test_the_attention_names_of_older_diffusers_become_todays() -> None:
    before = "encoder.mid_block.attentions.0"
    for old, new in {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}.items():
        found = our_autoencoder_name(f"{before}.{old}.weight", stages=4)
        assert found == our_autoencoder_name(found, stages=4) == f"{before}.{new}.weight"
    assert our_autoencoder_name(f"{before}.group_norm.bias", stages=4) == f"{before}.group_norm.bias"


def test_animatediffs_names_become_those_of_diffusers_motion_adapter() -> None:
    prefix = "denoising_unet."
    original = [
        name.removeprefix(prefix)
        for name in peer_shapes("animate-anyone")
        if ".motion_modules." in name and not is_position(name)
    ]
    given = {name: torch.empty(0, device="meta") for name in original}
    expected = mapping(theirs.convert_animatediff_checkpoint_to_diffusers(given), given, "")
    assert {name: our_motion_name(name) for name in original} == expected
    adapter = [name for name in on_meta(MotionAdapter, motion_max_seq_length=32) if not is_position(name)]
    assert sorted(expected.values()) == sorted(adapter)
    assert [our_motion_name(name) for name in adapter] == adapter, "diffusers' own names stay"
