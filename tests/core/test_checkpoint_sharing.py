"""Two checkpoints in one folder: parts in common are stored once, and nothing is lost by it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.checkpoints.file import Checkpoint, load_checkpoint, save_checkpoint
from cyberhost_core.errors import CheckpointError
from cyberhost_core.systems.spec import SystemSpec

VAE = TinyVAEConfig(latent_channels=4, encoder_widths=(8, 8), decoder_widths=(8, 8, 8))


@pytest.fixture
def pair(tmp_path: Path, small_spec: SystemSpec, build: Callable) -> tuple[Path, Path, Checkpoint]:
    """A checkpoint and, beside it, one with the same ReferenceNet and autoencoder but another denoiser."""
    torch.manual_seed(0)
    first = Checkpoint(model=build(small_spec), vae=TinyVAE(VAE).eval(), audio_encoder=None)
    model = build(small_spec, seed=1)
    model.reference_net.load_state_dict(first.model.reference_net.state_dict())
    second = Checkpoint(model=model, vae=first.vae, audio_encoder=None)
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    save_checkpoint(one, first, precision="8bit")
    save_checkpoint(two, second, precision="8bit", beside=one)
    return one, two, second


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def test_what_is_shared_is_stored_once_and_loads_as_if_it_were_whole(
    pair: tuple[Path, Path, Checkpoint], tmp_path: Path
) -> None:
    _, two, second = pair
    whole = tmp_path / "whole.safetensors"
    save_checkpoint(whole, second, precision="8bit")
    with safe_open(two, framework="pt") as file:
        assert json.loads(file.metadata()["shared"]) == {
            "reference_net": "one.safetensors",
            "vae": "one.safetensors",
        }
        assert {key.split(".", 1)[0] for key in file.keys()} & {"reference_net", "vae"} == set()  # noqa: SIM118
    shared, alone = load_checkpoint(two), load_checkpoint(whole)
    for ours, theirs in ((shared.model, alone.model), (shared.vae, alone.vae)):
        assert ours is not None
        assert theirs is not None
        state = theirs.state_dict()
        assert ours.state_dict().keys() == state.keys()
        assert all(torch.equal(value, state[key]) for key, value in ours.state_dict().items())


def test_without_its_neighbour_a_checkpoint_names_it(pair: tuple[Path, Path, Checkpoint]) -> None:
    one, two, _ = pair
    one.unlink()
    message = refused(two)
    assert "shares its 'reference_net' with one.safetensors, which is not beside it; keep both" in message


def test_a_neighbour_that_lacks_the_part_is_of_another_version(pair: tuple[Path, Path, Checkpoint]) -> None:
    one, two, _ = pair
    with safe_open(one, framework="pt") as file:
        metadata = file.metadata()
    save_file({k: v for k, v in load_file(one).items() if not k.startswith("reference_net.")}, one, metadata)
    assert "holds none; take both files from the same version" in refused(two)


def test_a_neighbour_is_a_file_name_and_no_path(pair: tuple[Path, Path, Checkpoint], tmp_path: Path) -> None:
    one, two, _ = pair
    with safe_open(two, framework="pt") as file:
        metadata = file.metadata()
    (tmp_path / "sub").mkdir()
    moved = tmp_path / "sub" / "two.safetensors"
    save_file(load_file(two), moved, {**metadata, "shared": json.dumps({"vae": "../one.safetensors"})})
    assert one.is_file()
    assert "which is not beside it" in refused(moved)


def test_files_in_two_folders_cannot_share(pair: tuple[Path, Path, Checkpoint], tmp_path: Path) -> None:
    one, _, second = pair
    (tmp_path / "sub").mkdir()
    with pytest.raises(CheckpointError, match="lies in another folder"):
        save_checkpoint(tmp_path / "sub" / "two.safetensors", second, precision="8bit", beside=one)
