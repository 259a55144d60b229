"""Checkpoint files: what is saved comes back, and every bad file gets one sentence."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.checkpoints.file import FORMAT, Checkpoint, load_checkpoint, save_checkpoint
from cyberhost_core.checkpoints.packing import SCALE_SUFFIX, SMALLEST_PACKED, pack, unpack
from cyberhost_core.errors import CheckpointError, ConfigError
from cyberhost_core.systems.spec import SystemSpec

VAE = TinyVAEConfig(
    latent_channels=4, encoder_widths=(8, 8), decoder_widths=(8, 8, 8), encoder_blocks=1, decoder_blocks=1
)


@pytest.fixture
def checkpoint(small_spec: SystemSpec, build: Callable, fill: Callable) -> Checkpoint:
    vae = TinyVAE(VAE)
    fill(vae)
    speech = ({"encoder.weight": torch.arange(12.0).view(3, 4)}, {"hidden_size": 4})
    return Checkpoint(
        model=build(small_spec),
        vae=vae,
        audio_encoder=speech,
        licence="Apache-2.0",
        training={"steps": 3, "picture_floor_db": 21.5},
    )


@pytest.fixture
def saved(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, checkpoint)
    return path


def refused(path: Path) -> str:
    """Load a bad file; return the message: one sentence that names the file and ends in advice."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")
    assert re.search(r"[;:] [^;:]+\.$", message), "the last part says what to do"
    assert not re.search(r"[a-z)]\. [A-Z]", message), "more than one sentence"
    return message


def edit(path: Path, change: Callable[[dict[str, torch.Tensor], dict[str, str]], None]) -> None:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors, metadata)
    save_file(tensors, path, metadata)


def test_a_checkpoint_comes_back_bit_for_bit(checkpoint: Checkpoint, saved: Path) -> None:
    loaded = load_checkpoint(saved)
    assert loaded.spec == checkpoint.spec
    assert (loaded.licence, dict(loaded.training)) == (checkpoint.licence, dict(checkpoint.training))
    wanted = checkpoint.model.state_dict()
    assert loaded.model.state_dict().keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in loaded.model.state_dict().items())


def test_the_autoencoder_and_the_speech_encoder_come_back_in_half_precision(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "half.safetensors", checkpoint, precision="fp16")
    loaded = load_checkpoint(tmp_path / "half.safetensors")
    assert loaded.vae is not None
    assert checkpoint.vae is not None
    assert loaded.vae.config == VAE
    for name, value in loaded.vae.state_dict().items():
        assert torch.equal(value, checkpoint.vae.state_dict()[name].half().float())
    assert loaded.audio_encoder is not None
    state, config = loaded.audio_encoder
    assert state["encoder.weight"].dtype == torch.float16
    assert torch.equal(state["encoder.weight"].float(), torch.arange(12.0).view(3, 4))
    assert config == {"hidden_size": 4}


def test_a_checkpoint_may_hold_the_system_alone(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "alone.safetensors"
    save_checkpoint(path, Checkpoint(model=checkpoint.model, vae=None, audio_encoder=None))
    loaded = load_checkpoint(path)
    assert loaded.vae is None
    assert loaded.audio_encoder is None


def test_a_loaded_model_is_ready_to_run_and_not_to_train(saved: Path) -> None:
    model = load_checkpoint(saved).model
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_eight_bits_keep_every_weight_within_half_a_step_of_its_row(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "packed.safetensors"
    save_checkpoint(path, checkpoint, precision="8bit")
    loaded = load_checkpoint(path).model.state_dict()
    packed = 0
    for name, value in checkpoint.model.state_dict().items():
        error = (loaded[name] - value).abs()
        if value.ndim >= 2 and value.numel() >= SMALLEST_PACKED:
            packed += 1
            step = value.flatten(1).abs().amax(dim=1) / 127
            assert (error.flatten(1).amax(dim=1) <= 0.502 * step).all(), name
        else:
            assert (error <= 2**-11 * value.abs() + 2**-24).all(), name
    assert packed > 10


def test_eight_bits_make_the_file_three_times_smaller_and_the_prediction_hardly_different(
    checkpoint: Checkpoint, saved: Path, tmp_path: Path, clips: Callable
) -> None:
    path = tmp_path / "packed.safetensors"
    save_checkpoint(path, checkpoint, precision="8bit")
    ratio = stored_bytes(saved) / stored_bytes(path)
    assert ratio > 3
    outputs = []
    for file in (saved, path):
        told = clips(load_checkpoint(file).model)
        with torch.no_grad():
            outputs.append(told.predict(told.conditions(motion=True)))
    difference = float((outputs[0] - outputs[1]).pow(2).mean() / outputs[0].pow(2).mean())
    assert difference < 1e-3


def stored_bytes(path: Path) -> int:
    parts = ("vae.", "audio_encoder.")
    return sum(t.nbytes for name, t in load_file(path).items() if not name.startswith(parts))


def test_an_eight_bit_weight_without_its_scale_is_refused() -> None:
    stored = pack({"w.weight": torch.randn(64, 64)})
    del stored["w.weight" + SCALE_SUFFIX]
    with pytest.raises(CheckpointError, match=r"'w\.weight' comes without its scale"):
        unpack(stored)


def test_packing_leaves_vectors_small_weights_and_whole_numbers_unpacked() -> None:
    tensors = {
        "vector": torch.randn(4096),
        "small": torch.randn(4, 4),
        "count": torch.arange(5000).view(50, 100),
        "zero": torch.zeros(64, 64),
    }
    stored = pack(tensors)
    assert {name for name, value in stored.items() if value.dtype == torch.int8} == {"zero"}
    assert "zero" + SCALE_SUFFIX in stored
    plain = unpack(stored)
    assert plain.keys() == tensors.keys()
    assert torch.equal(plain["count"], tensors["count"])
    assert torch.equal(plain["zero"], tensors["zero"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "There is no checkpoint" in refused(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.999])
def test_a_truncated_file_is_refused(kept: float, saved: Path) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    assert "truncated or of another kind" in refused(saved)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.safetensors"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    assert "cannot be read as safetensors" in refused(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(2)}, path)
    assert f"its format is 'none', '{FORMAT}' was expected" in refused(path)


def test_a_file_of_a_newer_format_is_refused(saved: Path) -> None:
    edit(saved, lambda _, metadata: metadata.update(format="cyberhost-3"))
    assert "its format is 'cyberhost-3'" in refused(saved)


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth", ".bin", ".pkl"])
def test_a_pickle_is_never_opened(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save({"x": torch.zeros(1)}, path)
    assert "can run code when it is read" in refused(path)


def cut_a_weight(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    tensors["denoiser.conv_in.weight"] = tensors["denoiser.conv_in.weight"][:8].clone()


def drop_a_weight(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    del tensors["denoiser.conv_in.weight"]


def rename_a_weight(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    tensors["denoiser.conv_in.weights"] = tensors.pop("denoiser.conv_in.weight")


@pytest.mark.parametrize("change", [cut_a_weight, drop_a_weight, rename_a_weight])
def test_weights_that_do_not_fit_are_refused_and_the_first_is_named(change: Callable, saved: Path) -> None:
    edit(saved, change)
    assert "the first is 'denoiser.conv_in.weight" in refused(saved)


def test_an_autoencoder_that_does_not_fit_is_refused(saved: Path) -> None:
    def change(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
        metadata["vae"] = VAE.derive(latent_channels=8).to_json()

    edit(saved, change)
    refused(saved)


def test_a_system_with_an_unknown_field_is_refused(saved: Path) -> None:
    def change(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
        metadata["system"] = json.dumps({**json.loads(metadata["system"]), "colour": "blue"})

    edit(saved, change)
    with pytest.raises(ConfigError, match="colour"):
        load_checkpoint(saved)
