"""Training pictures become latents with whichever autoencoder a file holds."""

import json

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors.torch import save_file

from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.checkpoints.parts import save_vae
from cyberhost_core.checkpoints.picture_encoder import load_picture_encoder
from cyberhost_core.errors import CheckpointError

PICTURES = torch.linspace(-1, 1, 2 * 3 * 32 * 24).view(2, 3, 32, 24)


@pytest.fixture
def stable(fill) -> AutoencoderKL:
    model = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=[16, 16, 16],
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    ).eval()
    fill(model)
    return model


def test_stable_diffusions_autoencoder_gives_the_scaled_mean(small_spec, stable, tmp_path):
    config = dict(stable.config) | {"_class_name": "AutoencoderKL"}
    path = tmp_path / "whole.safetensors"
    tensors = {f"vae.{name}": value for name, value in stable.state_dict().items()}
    metadata = {"format": "cyberhost-1", "system": small_spec.to_json(), "vae": json.dumps(config)}
    save_file(tensors, path, metadata)
    encoder = load_picture_encoder(path)
    latents = encoder.encode(PICTURES)
    with torch.no_grad():
        mean = stable.encoder(PICTURES)
        mean = stable.quant_conv(mean)[:, :4]
        again = stable.decode(mean).sample.clamp(-1, 1)
    np.testing.assert_allclose(latents, 0.18215 * mean, atol=1e-5)
    np.testing.assert_allclose(encoder.decode(latents), again, atol=1e-4)
    tensors.pop("vae.quant_conv.bias")
    save_file(tensors, path, metadata)
    with pytest.raises(CheckpointError, match="does not fit its configuration"):
        load_picture_encoder(path)


def test_the_small_autoencoder_is_read_alone_and_other_files_are_refused(small_spec, tmp_path):
    vae = TinyVAE(TinyVAEConfig(latent_channels=4)).eval()
    save_vae(tmp_path / "vae.safetensors", vae)
    latents = load_picture_encoder(tmp_path / "vae.safetensors").encode(PICTURES)
    np.testing.assert_array_equal(latents, vae.encode(PICTURES).detach())
    metadata = {"format": "cyberhost-1", "system": small_spec.to_json()}
    save_file({"a": torch.zeros(1)}, tmp_path / "bare.safetensors", metadata)
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    for name, words in (
        ("bare", "holds no autoencoder"),
        ("torn", "cannot be read"),
        ("none", "cannot be read"),
    ):
        with pytest.raises(CheckpointError, match=words):
            load_picture_encoder(tmp_path / f"{name}.safetensors")
