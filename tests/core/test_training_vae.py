"""Training of the small autoencoder: it learns, its latents are standardised, its encoder can be frozen."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.checkpoints.parts import load_vae, save_vae
from cyberhost_core.cli.main import main
from cyberhost_core.errors import CheckpointError
from cyberhost_core.training import vae as vae_training
from cyberhost_core.training.vae import VAE_LOOP, PictureBatches, VAELesson, picture_loss, train_vae

SMALL = TinyVAEConfig(
    latent_channels=8,
    encoder_widths=(32, 24),
    decoder_widths=(32, 24, 16),
    encoder_blocks=1,
    decoder_blocks=1,
)
STEPS = 120
SHORT = VAE_LOOP.derive(steps=6, warmup_steps=2, save_every=2)


def pictures(number: int) -> tuple[Tensor, Tensor]:
    """Flat cartoon rectangles on a flat ground, and the same weight everywhere."""
    rng = np.random.default_rng(number)
    x = np.ones((4, 3, 32, 24), dtype=np.float32) * rng.uniform(-0.8, 0.8, (4, 3, 1, 1)).astype(np.float32)
    for picture in x:
        y, z = rng.integers(0, 16), rng.integers(0, 12)
        picture[:, y : y + 12, z : z + 10] = rng.uniform(-0.8, 0.8, (3, 1, 1))
    return torch.from_numpy(x), torch.ones(4, 1, 32, 24)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyVAE, list[float]]:
    torch.manual_seed(0)
    losses: list[float] = []
    out = train_vae(
        TinyVAE(SMALL),
        pictures,
        tmp_path_factory.mktemp("trained") / "vae.safetensors",
        data="cartoons",
        loop=VAE_LOOP.derive(steps=STEPS, learning_rate=5e-3, warmup_steps=5, ema_decay=0.95),
        lesson=VAELesson(statistics_rate=0.1),
        show=lambda _, values: losses.append(values["picture"]),
    )
    assert out is not None
    return load_vae(out), losses


def test_training_lowers_the_loss(trained: tuple[TinyVAE, list[float]]) -> None:
    _, losses = trained
    assert len(losses) == STEPS
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:3])


def test_the_averaged_model_reconstructs_unseen_pictures_better_than_grey(
    trained: tuple[TinyVAE, list[float]],
) -> None:
    vae, _ = trained
    x, _ = pictures(2000)
    with torch.no_grad():
        error = (vae.decode(vae.encode(x)) - x).abs().mean()
    assert error < 0.85 * x.abs().mean()


def test_latents_leave_with_zero_mean_and_unit_variance(trained: tuple[TinyVAE, list[float]]) -> None:
    vae, _ = trained
    with torch.no_grad():
        latents = torch.cat([vae.encode(pictures(1000 + number)[0]) for number in range(10)])
    assert latents.shape == (40, 8, 4, 3)
    assert (latents.mean(dim=(0, 2, 3)).abs() < 0.5).all()
    assert ((latents.std(dim=(0, 2, 3)) - 1).abs() < 0.5).all()


def test_a_frozen_encoder_keeps_stored_latents_valid(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vae = TinyVAE(SMALL)
    x, _ = pictures(0)
    before, decoder = vae.encode(x).detach(), vae.decoder[0].weight.detach().clone()
    lesson = VAELesson(encoder_frozen=True)
    out = train_vae(vae, pictures, tmp_path / "vae", data="cartoons", loop=SHORT, lesson=lesson)
    assert out is not None
    average = load_vae(out)
    assert torch.equal(average.encode(x), before)
    assert torch.equal(vae.encode(x), before)
    assert not torch.equal(average.decoder[0].weight, decoder)


def test_a_new_decoder_reads_the_same_latents_and_learns_to_draw(
    trained: tuple[TinyVAE, list[float]], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    vae, _ = trained
    x, _ = pictures(0)
    latents = vae.encode(x).detach()
    wider = vae.with_new_decoder((40, 32, 24))
    assert torch.equal(wider.encode(x), latents)
    assert wider.config == SMALL.derive(decoder_widths=(40, 32, 24))
    loop = VAE_LOOP.derive(steps=60, learning_rate=5e-3, warmup_steps=5, ema_decay=0.9)
    losses: list[float] = []
    out = train_vae(
        wider,
        pictures,
        tmp_path / "vae",
        data="cartoons",
        loop=loop,
        lesson=VAELesson(encoder_frozen=True),
        show=lambda _, values: losses.append(values["picture"]),
    )
    assert out is not None
    assert torch.equal(load_vae(out).encode(x), latents)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])


def test_the_command_makes_a_wider_decoder_and_asks_for_the_encoder(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(vae_training, "VAE_LOOP", VAE_LOOP.derive(precision="no"))
    torch.manual_seed(0)
    save_vae(tmp_path / "first", TinyVAE(SMALL))
    command = ["train", "vae", str(clips), str(tmp_path / "wider"), "--steps", "1"]
    widths = ["--decoder-widths", "40", "32", "24"]
    assert main([*command, "--decoder-of", str(tmp_path / "first"), *widths]) == 0
    assert load_vae(tmp_path / "wider").config.decoder_widths == (40, 32, 24)
    assert main([*command, *widths]) == 2
    assert "--decoder-widths was given without --decoder-of" in capsys.readouterr().err


@pytest.mark.parametrize("frozen", [False, True])
def test_training_that_was_killed_goes_on_and_ends_in_the_same_bits(frozen: bool, tmp_path: Path) -> None:
    def train(name: str, **changes) -> Path | None:
        torch.manual_seed(0)
        lesson = VAELesson(encoder_frozen=frozen)
        out = tmp_path / name
        return train_vae(TinyVAE(SMALL), pictures, out, data="cartoons", loop=SHORT, lesson=lesson, **changes)

    def kill(step: int, losses: dict[str, float]) -> None:
        if step == 5:  # saved after step 4
            raise KeyboardInterrupt

    straight = train("straight")
    with pytest.raises(KeyboardInterrupt):
        train("killed", show=kill)
    assert [path.name for path in (tmp_path / "killed.run").iterdir()] == ["run.safetensors"]
    steps: list[int] = []
    resumed = train("killed", show=lambda step, _: steps.append(step))
    assert steps == [5, 6]
    assert straight is not None and resumed is not None
    assert_same_weights(straight, resumed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "straight"]


def assert_same_weights(one: Path, other: Path) -> None:
    expected, found = load_file(one), load_file(other)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_run_with_other_settings_seed_data_or_first_weights_is_refused(tmp_path: Path) -> None:
    def train(*, start: int = 0, **changes) -> Path | None:
        torch.manual_seed(start)
        given = {"data": "cartoons", "loop": SHORT, "until": 1, **changes}
        return train_vae(TinyVAE(SMALL), pictures, tmp_path / "vae", **given)

    train()
    for named, change in (
        ("loop.learning_rate", {"loop": SHORT.derive(learning_rate=1e-4)}),
        ("lesson.noise", {"lesson": VAELesson(noise=0.5)}),
        ("seed", {"seed": 1}),
        ("data", {"data": "photographs"}),
        ("first_weights", {"start": 1}),
    ):
        with pytest.raises(CheckpointError, match=f"started with another {named}; resume with the same"):
            train(**change)


def test_a_step_has_its_own_noise_which_is_the_same_every_time_and_never_stronger_than_was_said() -> None:
    def batches(rank: int = 0) -> PictureBatches:
        return PictureBatches(pictures, channels=8, most_noise=0.2, seed=3, stretch=100, rank=rank)

    noise = batches()[4].noise
    assert noise.shape == (4, 8, 4, 3)
    assert torch.equal(noise, batches()[4].noise)
    assert not torch.equal(noise, batches()[5].noise)
    assert not torch.equal(batches()[4].pictures, batches(rank=1)[4].pictures)
    strengths = torch.cat([batches()[step].noise.std(dim=(1, 2, 3)) for step in range(50)])
    assert 0.15 < strengths.max() < 0.25
    assert strengths.min() < 0.02


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Three clips of noise, with what the autoencoder's pictures are drawn from."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(3):
        arrays = {
            "frames_FYXC": rng.integers(0, 256, (2, 128, 96, 3), dtype=np.uint8),
            "pose_FKC": rng.uniform(10, 90, (2, 128, 3)).astype(np.float32),
        }
        save_file(arrays, folder / f"{number:06d}.safetensors")
    return folder


@pytest.mark.parametrize("decoder_only", [False, True])
def test_the_command_goes_on_and_refuses_other_clips(
    decoder_only: bool, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    for name in (
        "VAE_LOOP",
        "DECODER_LOOP",
    ):  # sixteen bits take minutes where a processor only imitates them
        monkeypatch.setattr(vae_training, name, getattr(vae_training, name).derive(precision="no"))
    monkeypatch.setattr("cyberhost_core.backbone.vae.TinyVAEConfig", lambda: SMALL)
    options = ["--steps", "2"]
    if decoder_only:
        torch.manual_seed(0)
        save_vae(tmp_path / "first", TinyVAE(SMALL))
        options += ["--decoder-of", str(tmp_path / "first")]

    def command(name: str) -> list[str]:
        return ["train", "vae", str(clips), str(tmp_path / name), *options]

    assert main(command("straight")) == 0
    assert main([*command("stopped"), "--until", "1"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(tmp_path / "straight")]
    assert "give the command again to go on" in said.err
    assert not (tmp_path / "stopped").exists()
    assert main(command("stopped")) == 0
    assert_same_weights(tmp_path / "straight", tmp_path / "stopped")
    assert main([*command("other"), "--until", "1"]) == 0
    (clips / "000002.safetensors").unlink()
    assert main(command("other")) == 2
    assert "started with another data; resume with the same command" in capsys.readouterr().err


def test_the_loss_weighs_pixels_and_edges() -> None:
    rng = np.random.default_rng(0)
    decoded, x, weight = (
        rng.normal(size=(2, 3, 4, 5)),
        rng.normal(size=(2, 3, 4, 5)),
        rng.random((2, 1, 4, 5)),
    )
    pixels, down, right = [], [], []
    for n, c, i, j in np.ndindex(decoded.shape):
        difference = decoded[n, c] - x[n, c]
        pixels.append(weight[n, 0, i, j] * abs(difference[i, j]))
        if i < 3:
            shared = (weight[n, 0, i, j] + weight[n, 0, i + 1, j]) / 2
            down.append(shared * abs(difference[i + 1, j] - difference[i, j]))
        if j < 4:
            shared = (weight[n, 0, i, j] + weight[n, 0, i, j + 1]) / 2
            right.append(shared * abs(difference[i, j + 1] - difference[i, j]))
    expected = np.mean(pixels) + 0.5 * (np.mean(down) + np.mean(right))
    found = picture_loss(*(torch.from_numpy(a) for a in (decoded, x, weight)), edge_weight=0.5)
    assert float(found) == pytest.approx(expected)


def test_pictures_are_coded_by_cells_of_eight_pixels_and_clamped() -> None:
    vae = TinyVAE(SMALL)
    with torch.no_grad():
        assert vae.encode(torch.zeros(2, 3, 40, 24)).shape == (2, 8, 5, 3)
        decoded = vae.decode(100 * torch.randn(2, 8, 5, 3))
    assert decoded.shape == (2, 3, 40, 24)
    assert float(decoded.abs().max()) <= 1
