"""Encoders of what drives the U-Net: maps, hand crops, hand clarity, sound, face."""

from collections.abc import Callable

import pytest
import torch

from cyberhost_core.backbone.audio_projection import LinearAudio
from cyberhost_core.backbone.embeddings import ClarityEmbedding, FaceProjection
from cyberhost_core.backbone.map_encoder import HandEncoder, MapEncoder, MapEncoderConfig
from cyberhost_core.backbone.ops import TORCH_OPS

MAPS = MapEncoderConfig(patch=2, widths=(8, 8, 8))


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_a_map_is_encoded_to_the_latent_grid() -> None:
    encoder = MapEncoder(MAPS, 16, ops=TORCH_OPS)
    assert encoder(random(2, 3, 32, 24)).shape == (2, 16, 4, 3)
    assert MapEncoder(MapEncoderConfig(), 16, ops=TORCH_OPS)(random(1, 3, 32, 24)).shape == (1, 16, 4, 3)


def test_a_fresh_map_encoder_adds_nothing_and_a_fresh_hand_encoder_describes() -> None:
    assert not MapEncoder(MAPS, 16, ops=TORCH_OPS)(random(1, 3, 32, 24)).any()
    tokens = HandEncoder(MAPS, 16, ops=TORCH_OPS)(random(1, 2, 3, 128, 128))
    assert float(tokens.detach().std()) > 0.1


def test_blocks_of_a_hand_encoder_are_deeper() -> None:
    shallow, deep = (
        sum(1 for _ in MapEncoder(MAPS.derive(depth=depth), 16, ops=TORCH_OPS).blocks) for depth in (1, 2)
    )
    assert (shallow, deep) == (4, 6)


def test_tokens_of_the_left_hand_come_before_those_of_the_right(fill: Callable) -> None:
    encoder = HandEncoder(MapEncoderConfig(patch=8, widths=(8, 8, 8)), 12, ops=TORCH_OPS)
    fill(encoder)
    crops = random(2, 2, 3, 128, 128)
    tokens = encoder(crops)
    assert tokens.shape == (2, 2 * 16, 12)
    swapped = encoder(crops.flip(1))
    torch.testing.assert_close(swapped[:, :16], tokens[:, 16:])
    torch.testing.assert_close(swapped[:, 16:], tokens[:, :16])


def test_absolute_clarity_is_measured_in_units_and_relative_clarity_is_not(fill: Callable) -> None:
    fine, coarse = (ClarityEmbedding(16, unit=unit, ops=TORCH_OPS) for unit in (1.0, 50.0))
    fill(fine)
    fill(coarse)
    scores = random(5, 4)
    grey_levels = scores * torch.tensor([50.0, 50.0, 1.0, 1.0])
    torch.testing.assert_close(coarse(grey_levels), fine(scores))
    assert not torch.allclose(coarse(scores), fine(scores), atol=1e-2)


def test_a_fresh_clarity_embedding_adds_nothing() -> None:
    assert not ClarityEmbedding(16, unit=50.0, ops=TORCH_OPS)(random(5, 4)).any()


def test_steps_of_a_window_are_told_apart_by_their_place(fill: Callable) -> None:
    projection = LinearAudio(6, 10, window=5, ops=TORCH_OPS)
    alike = torch.ones(1, 5, 6)
    assert torch.equal(projection(alike)[0, 0], projection(alike)[0, 4])
    fill(projection)
    assert not torch.allclose(projection(alike)[0, 0], projection(alike)[0, 4], atol=1e-2)


@pytest.mark.parametrize("tokens", [1, 4])
def test_a_face_vector_becomes_tokens_of_ordinary_size(tokens: int) -> None:
    projection = FaceProjection(512, 12, tokens=tokens, ops=TORCH_OPS)
    # Many, since a few say little; drawn after the weights, since of the same seed they would be the weights
    vectors = torch.nn.functional.normalize(torch.rand(200, 512) - 0.5)
    before_norm = projection.proj(vectors * 512**0.5)
    assert float(before_norm.detach().std()) == pytest.approx(1 / 3**0.5, rel=0.1)
    out = projection(vectors)
    assert out.shape == (200, tokens, 12)
    assert float(out.detach().std()) == pytest.approx(1, rel=0.1)
