"""Parts of a checkpoint: read alone, read out of a whole one, and packed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors.torch import load_file, save_file

from cyberhost_core import bundled
from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.checkpoints.file import (
    Checkpoint,
    Precision,
    StoredCheckpoint,
    load_checkpoint,
    open_checkpoint,
    save_checkpoint,
)
from cyberhost_core.checkpoints.parts import (
    load_autoencoder,
    load_speech,
    load_vae,
    load_weights,
    pack_checkpoint,
    save_vae,
)
from cyberhost_core.checkpoints.preview import fit_preview
from cyberhost_core.checkpoints.stable_diffusion import StableDiffusionVAE
from cyberhost_core.checkpoints.trained import about_trained, how_calibrated
from cyberhost_core.conditioners.drawn_maps import DrawnMaps
from cyberhost_core.conditioners.hand_clarity import HandClarity
from cyberhost_core.data.calibration import Calibration
from cyberhost_core.errors import CheckpointError
from cyberhost_core.media.images import read_image
from cyberhost_core.systems import emo2
from cyberhost_core.systems.cyberhost import tiny
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.twins.speech import SpeechTwinConfig, save_speech_twin


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole tiny checkpoint with random weights, packed from its three parts."""
    from transformers import Wav2Vec2Model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("parts")
    weights = {key: torch.randn_like(value) for key, value in SystemModel(tiny()).state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    save_vae(folder / "vae.safetensors", TinyVAE(TinyVAEConfig()))
    save_speech_twin(Wav2Vec2Model(SpeechTwinConfig().network()), folder / "speech")
    pack_checkpoint(
        folder / "whole.safetensors",
        spec=tiny(),
        weights=folder / "model.safetensors",
        vae=folder / "vae.safetensors",
        speech=folder / "speech",
        licence="Apache-2.0",
        training={"data": "none"},
        precision="8bit",
    )
    return folder


def test_a_packed_checkpoint_gives_every_part_back(packed: Path) -> None:
    whole = packed / "whole.safetensors"
    alone, inside = load_vae(packed / "vae.safetensors"), load_vae(whole)
    x = torch.rand(1, 3, 32, 24) * 2 - 1
    assert torch.allclose(alone.encode(x), inside.encode(x), atol=0.05)  # stored in 16 bits
    assert load_speech(whole)[0].keys() == load_speech(packed / "speech")[0].keys()
    training = load_checkpoint(whole).training
    assert training["data"] == "none"
    assert torch.tensor(training["preview"]).shape == (TinyVAEConfig().latent_channels + 1, 3)


def test_a_preview_tells_more_than_half_of_the_colours_of_a_picture() -> None:
    pictures = torch.from_numpy(np.stack([read_image(path) for path in bundled.portraits()]))
    x = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    vae = load_vae(bundled.CHECKPOINT)
    rows = torch.tensor(load_checkpoint(bundled.CHECKPOINT).training["preview"])
    assert torch.allclose(rows, torch.tensor(fit_preview(vae, x)), atol=0.05)
    seen = torch.nn.functional.avg_pool2d(x, 8)
    shown = torch.einsum("ncyx,cr->nryx", vae.encode(x), rows[:-1]) + rows[-1][:, None, None]
    assert float((shown - seen).pow(2).mean()) < 0.5 * float(seen.var())


def test_eight_bit_weights_are_within_half_a_step_of_the_originals(packed: Path) -> None:
    before = load_weights(packed / "model.safetensors")
    after = load_weights(packed / "whole.safetensors")
    for name, value in before.items():
        rows = value.flatten(1) if value.ndim > 1 else value[None]
        step = rows.abs().amax(dim=1, keepdim=True) / 127
        error = (after[name] - value).reshape(rows.shape).abs()
        assert bool((error <= 0.51 * step + 1e-3 * rows.abs()).all()), name


def test_weights_of_another_system_are_refused(packed: Path, tmp_path: Path) -> None:
    save_file({"strange": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="stage 2"):
        pack_checkpoint(
            tmp_path / "whole.safetensors",
            spec=tiny(),
            weights=tmp_path / "model.safetensors",
            vae=packed / "vae.safetensors",
            speech=packed / "speech",
            licence="",
            training={},
        )


CALIBRATION = Calibration(
    clarity_low=(3, 0.5),
    clarity_high=(11, 1.0),
    movement_box=(0.25, 0.05),
    hand_confidence=None,
    picture_floor_db=26.5,
)


@pytest.fixture
def pack_trained(packed: Path, tmp_path: Path) -> Callable[..., StoredCheckpoint]:
    """Pack weights that say of themselves what stage trained them, on what; the recipe is another's."""
    weights = load_file(packed / "model.safetensors")

    def pack_trained(stage: str) -> StoredCheckpoint:
        path = tmp_path / "model.safetensors"
        save_file(weights, path, about_trained(stage, tiny(), CALIBRATION))
        pack_checkpoint(
            tmp_path / "whole.safetensors",
            spec=emo2.tiny(),
            weights=path,
            vae=packed / "vae.safetensors",
            speech=packed / "speech",
            licence="",
            training={},
        )
        return open_checkpoint(tmp_path / "whole.safetensors")

    return pack_trained


def test_a_checkpoint_asks_for_what_the_training_data_showed(pack_trained: Callable) -> None:
    whole = pack_trained("video")
    assert whole.spec == tiny().calibrated(CALIBRATION)
    (clarity,), (maps,) = whole.spec.listed(HandClarity), whole.spec.listed(DrawnMaps)
    assert clarity.scores(1.0).tolist() == [11, 11, 1, 1]
    assert clarity.scores(0.0).tolist() == [3, 3, 0.5, 0.5]
    assert maps.box == (0.25, 0.05)
    assert whole.training["picture_floor_db"] == 26.5


def test_weights_of_the_first_stage_are_not_packed(pack_trained: Callable) -> None:
    with pytest.raises(CheckpointError, match=r"in stage 1 alone, on single pictures; give the .* stage 2"):
        pack_trained("image")


def test_what_was_not_calibrated_is_said(packed: Path, tmp_path: Path) -> None:
    (sentence,) = how_calibrated(packed / "model.safetensors")
    assert "give its training command again" in sentence
    blind = CALIBRATION.derive(clarity_low=None, clarity_high=None)
    save_file({}, tmp_path / "blind.safetensors", about_trained("video", tiny(), blind))
    (sentence,) = how_calibrated(tmp_path / "blind.safetensors")
    assert sentence.startswith("The training data show no hand, so hand clarity")
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        how_calibrated(tmp_path / "torn.safetensors")


@pytest.mark.parametrize(
    ("precision", "dtype", "beside_it"),
    [
        ("fp16", torch.float16, torch.float16),
        ("bf16", torch.bfloat16, torch.float16),
        ("fp32", torch.float32, torch.float32),
    ],
)
def test_weights_are_stored_as_asked_and_the_autoencoder_never_in_bf16(
    precision: Precision, dtype: torch.dtype, beside_it: torch.dtype, packed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    pack_checkpoint(
        out,
        spec=tiny(),
        weights=packed / "model.safetensors",
        vae=packed / "vae.safetensors",
        speech=packed / "speech",
        licence="",
        training={},
        precision=precision,
    )
    before, stored = load_file(packed / "model.safetensors"), load_file(out)
    assert all(torch.equal(stored[name], value.to(dtype)) for name, value in before.items())
    rest = {value.dtype for name, value in stored.items() if name not in before}
    assert rest == {beside_it}


def test_a_number_too_large_for_sixteen_bits_is_an_error_and_no_infinity(
    packed: Path, tmp_path: Path
) -> None:
    weights = load_file(packed / "model.safetensors")
    weights["denoiser.conv_in.bias"][0] = 1e6
    save_file(weights, tmp_path / "large.safetensors")
    out, files = (
        tmp_path / "out.safetensors",
        {"vae": packed / "whole.safetensors", "speech": packed / "speech"},
    )
    told = {"licence": "", "training": {}}
    with pytest.raises(CheckpointError, match=r"'denoiser\.conv_in\.bias' holds numbers above .* bf16"):
        pack_checkpoint(out, spec=tiny(), weights=tmp_path / "large.safetensors", **files, **told)
    assert not out.exists()


# --- Stable Diffusion's autoencoder


@pytest.fixture(scope="module")
def stable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AutoencoderKL]:
    """Its real layout in small, as diffusers saves it: a folder."""
    torch.manual_seed(1)
    network = AutoencoderKL(
        block_out_channels=(32, 32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    ).eval()
    folder = tmp_path_factory.mktemp("stable") / "sd-vae-ft-mse"
    network.save_pretrained(folder)
    return folder, network


def test_it_is_read_from_a_folder_a_file_and_a_checkpoint_alike(
    stable: tuple[Path, AutoencoderKL], small_spec: SystemSpec, tmp_path: Path
) -> None:
    folder, network = stable
    whole = tmp_path / "whole.safetensors"
    model = SystemModel(small_spec)
    save_checkpoint(whole, Checkpoint(model=model, vae=load_autoencoder(folder), audio_encoder=None))
    x = torch.rand(2, 3, 32, 24) * 2 - 1
    with torch.no_grad():
        latents = network.encode(x).latent_dist.mean
        pictures = network.decode(latents).sample.clamp(-1, 1)
    for path in (folder, folder / "diffusion_pytorch_model.safetensors", whole):
        vae = load_autoencoder(path)
        assert isinstance(vae, StableDiffusionVAE)
        torch.testing.assert_close(vae.encode(x), latents, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(vae.decode(latents), pictures, atol=1e-5, rtol=1e-5)


def test_an_autoencoder_of_other_latents_is_refused_before_anything_is_written(
    stable: tuple[Path, AutoencoderKL], packed: Path, tmp_path: Path
) -> None:
    files = {"weights": packed / "model.safetensors", "vae": stable[0], "speech": packed / "speech"}
    with pytest.raises(CheckpointError, match="makes latents of 4 channels, but 'cyberhost-tiny' works"):
        pack_checkpoint(tmp_path / "out.safetensors", spec=tiny(), **files, licence="", training={})
    assert not (tmp_path / "out.safetensors").exists()


def test_where_the_small_one_is_wanted_stable_diffusions_is_refused(
    stable: tuple[Path, AutoencoderKL],
) -> None:
    with pytest.raises(CheckpointError, match="holds Stable Diffusion's autoencoder, but one of"):
        load_vae(stable[0])


def test_a_checkpoint_without_an_autoencoder_is_refused(small_spec: SystemSpec, tmp_path: Path) -> None:
    path = tmp_path / "alone.safetensors"
    save_checkpoint(path, Checkpoint(model=SystemModel(small_spec), vae=None, audio_encoder=None))
    with pytest.raises(CheckpointError, match=r"alone\.safetensors holds no autoencoder"):
        load_autoencoder(path)


def test_a_file_that_is_no_autoencoder_is_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="no autoencoder"):
        load_vae(tmp_path / "x.safetensors")
    (tmp_path / "y.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_vae(tmp_path / "y.safetensors")
