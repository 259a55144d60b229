"""Training of the small autoencoder: it learns, its latents are standardised, its encoder can be frozen."""

import numpy as np
import pytest
import torch

from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.training.vae import Pictures, VAETrainer, VAETrainingConfig, picture_loss, train_vae

SMALL = TinyVAEConfig(
    latent_channels=8,
    encoder_widths=(32, 24),
    decoder_widths=(32, 24, 16),
    encoder_blocks=1,
    decoder_blocks=1,
)
STEPS = 120


def pictures(number: int) -> Pictures:
    """Flat cartoon rectangles on a flat ground, and the same weight everywhere."""
    rng = np.random.default_rng(number)
    x = np.ones((4, 3, 32, 24), dtype=np.float32) * rng.uniform(-0.8, 0.8, (4, 3, 1, 1)).astype(np.float32)
    for picture in x:
        y, z = rng.integers(0, 16), rng.integers(0, 12)
        picture[:, y : y + 12, z : z + 10] = rng.uniform(-0.8, 0.8, (3, 1, 1))
    return torch.from_numpy(x), torch.ones(4, 1, 32, 24)


@pytest.fixture(scope="module")
def trained() -> tuple[TinyVAE, list[float]]:
    torch.manual_seed(0)
    losses: list[float] = []
    config = VAETrainingConfig(
        steps=STEPS, learning_rate=5e-3, warmup_steps=5, ema_decay=0.95, statistics_rate=0.1
    )
    return train_vae(TinyVAE(SMALL), pictures, config, report=lambda _, loss: losses.append(loss)), losses


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


def test_a_frozen_encoder_keeps_stored_latents_valid() -> None:
    torch.manual_seed(0)
    vae = TinyVAE(SMALL)
    x, _ = pictures(0)
    before, decoder = vae.encode(x).detach(), vae.decoder[0].weight.detach().clone()
    trainer = VAETrainer(vae, VAETrainingConfig(steps=4, encoder_frozen=True))
    for number in range(4):
        trainer.step(number, pictures(number))
    assert torch.equal(trainer.average.encode(x), before)
    assert torch.equal(vae.encode(x), before)
    assert not torch.equal(vae.decoder[0].weight, decoder)


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
