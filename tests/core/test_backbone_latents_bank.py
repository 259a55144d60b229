"""The region latents bank: an orthogonal basis, kept in evaluation until the weights change."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from cyberhost_core.backbone.latents_bank import BankConfig, LatentsBank, Tokens, rope

AXES = ("spatial", "temporal", "unified")


def make_bank(axis: str = "spatial", **changes: Any) -> LatentsBank:
    torch.manual_seed(0)
    return LatentsBank(BankConfig(axis=axis, spatial=6, temporal=3, rows=2, **changes), 8)


@pytest.mark.parametrize("axis", AXES)
def test_the_vectors_of_a_group_are_orthogonal_and_keep_what_length_is_their_own(axis: str) -> None:
    bank = make_bank(axis)
    groups, vectors = bank.config.shape
    for group, drawn in zip(bank().unflatten(0, (groups, vectors)), bank.latents, strict=True):
        products = group @ group.T
        torch.testing.assert_close(products, products.diagonal().diag(), atol=1e-5, rtol=0)
        torch.testing.assert_close(group[0], drawn[0])  # nothing is taken from the first
        assert (products.diagonal() <= drawn.square().sum(dim=1) + 1e-5).all()


@pytest.mark.parametrize("axis", AXES)
def test_an_orthonormal_basis_has_length_one(axis: str) -> None:
    bank, plain = make_bank(axis, basis="orthonormal"), make_bank(axis)
    groups, vectors = bank.config.shape
    for group in bank().unflatten(0, (groups, vectors)):
        torch.testing.assert_close(group @ group.T, torch.eye(vectors), atol=1e-5, rtol=0)
    torch.testing.assert_close(bank(), torch.nn.functional.normalize(plain(), dim=1))


def test_the_basis_spans_what_the_vectors_span() -> None:
    bank = make_bank("temporal", basis="orthonormal")
    basis = bank()
    torch.testing.assert_close(bank.latents[0] @ basis.T @ basis, bank.latents[0], atol=1e-5, rtol=1e-4)


def test_the_basis_stays_orthonormal_under_autocast() -> None:
    bank = make_bank(basis="orthonormal")
    with torch.autocast("cpu", torch.bfloat16):
        basis = bank()
    torch.testing.assert_close(basis @ basis.T, torch.eye(6), atol=1e-5, rtol=0)


def test_training_passes_gradients_through_the_process() -> None:
    bank = make_bank(basis="orthonormal").train()
    (bank() * torch.arange(48.0).view(6, 8)).sum().backward()
    assert bank.latents.grad is not None
    assert float(bank.latents.grad.abs().sum()) > 0
    # Longer vectors give the same basis, so no gradient points along a vector itself.
    along = (bank.latents.grad * bank.latents.detach()).sum(dim=-1)
    torch.testing.assert_close(along, torch.zeros_like(along), atol=1e-3, rtol=0)


def test_evaluation_orthogonalises_once() -> None:
    bank = make_bank().eval()
    with torch.no_grad():
        assert bank() is bank()


def test_a_kept_basis_equals_a_fresh_one() -> None:
    bank = make_bank().eval()
    with torch.no_grad():
        kept = bank()
    assert torch.equal(kept, bank.train()().detach())


@torch.no_grad()
def scale_in_place(bank: LatentsBank, new: Tensor) -> None:
    bank.latents.copy_(new)


def load(bank: LatentsBank, new: Tensor) -> None:
    bank.load_state_dict({"latents": new})


def replace(bank: LatentsBank, new: Tensor) -> None:
    bank.latents = torch.nn.Parameter(new)


@torch.no_grad()
def average(bank: LatentsBank, new: Tensor) -> None:
    bank.latents.lerp_(new, 1.0)


@pytest.mark.parametrize("change", [scale_in_place, load, replace, average])
def test_evaluation_notices_that_the_weights_changed(change: Callable[[LatentsBank, Tensor], None]) -> None:
    bank = make_bank().eval()
    with torch.no_grad():
        before = bank()
        new = torch.randn(bank.latents.shape, generator=torch.Generator().manual_seed(1))
        change(bank, new)
        after = bank()
        fresh = LatentsBank(bank.config, 8)
        fresh.latents.copy_(new)
        assert torch.equal(after, fresh())
        assert not torch.allclose(after, before, atol=1e-2)


def test_a_bank_made_in_inference_mode_works() -> None:
    with torch.inference_mode():
        bank = make_bank(basis="orthonormal").eval()
        basis = bank()
        assert bank() is basis
    torch.testing.assert_close(basis @ basis.T, torch.eye(6), atol=1e-5, rtol=0)


def test_half_precision_gives_a_basis_in_half_precision() -> None:
    bank = make_bank(basis="orthonormal").eval().to(torch.bfloat16)
    with torch.no_grad():
        basis = bank()
    assert basis.dtype == torch.bfloat16
    torch.testing.assert_close(basis.float() @ basis.float().T, torch.eye(6), atol=0.02, rtol=0)


@pytest.mark.parametrize("axis", ["spatial", "temporal"])
def test_the_first_models_turned_keys_by_the_index_of_their_vector_over_all_heads(axis: str) -> None:
    bank = make_bank(axis, places="keys")
    keys, queries = bank().detach(), torch.randn(2, 4, 8)
    turned = bank.turn_keys(keys, heads=2)
    torch.testing.assert_close(turned, rope(keys, torch.arange(len(keys))))
    assert bank.turn_queries(queries, Tokens(frames=2, high=2, wide=2), heads=2) is queries


def test_their_unified_bank_was_turned_by_space_in_one_half_and_by_time_in_the_other() -> None:
    bank = make_bank("unified", places="keys")
    keys = bank().detach()
    turned = bank.turn_keys(keys, heads=2).unflatten(0, (3, 6))
    for time in range(3):
        for space in range(6):
            own = keys.unflatten(0, (3, 6))[time, space][None]
            expected = torch.cat(
                [rope(own[:, :4], torch.tensor([space])), rope(own[:, 4:], torch.tensor([time]))], dim=1
            )
            torch.testing.assert_close(turned[time, space][None], expected)


def test_places_turn_every_head_by_itself_and_leave_lengths_as_they_are() -> None:
    """Attention of a head depends on how far two places are apart, and on nothing else of them."""
    bank = make_bank("temporal")
    key, query = torch.randn(8), torch.randn(8)
    keys = bank.turn_keys(key.expand(3, 8), heads=2).unflatten(1, (2, 4))
    tokens = Tokens(frames=3, high=1, wide=1)
    queries = bank.turn_queries(query.expand(3, 1, 8), tokens, heads=2)[:, 0].unflatten(1, (2, 4))
    scores = torch.einsum("qhd,khd->hqk", queries, keys)
    for offset in (-1, 0, 1):
        along = scores.diagonal(offset, 1, 2)
        torch.testing.assert_close(along, along[:, :1].expand_as(along))
    torch.testing.assert_close(keys.norm(dim=-1), key.unflatten(0, (2, 4)).norm(dim=-1).expand(3, 2))


def test_vectors_that_do_not_fill_their_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="6 spatial vectors do not fill 4 rows"):
        BankConfig(axis="spatial", spatial=6, rows=4)
