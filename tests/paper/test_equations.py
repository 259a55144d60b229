"""Equations 2 to 5 of CyberHost, the region attention module, against loops written from the paper."""

import itertools
import math
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from cyberhost_core.backbone.conditions import Conditions, Taps
from cyberhost_core.backbone.latents_bank import BankConfig, LatentsBank, gram_schmidt, rope
from cyberhost_core.backbone.ops import TORCH_OPS, TRAINING_OPS, Ops
from cyberhost_core.backbone.region_attention import RegionAttention, RegionAttentionConfig
from cyberhost_core.backbone.site import Site

CLIPS, FRAMES, CHANNELS, HIGH, WIDE = 2, 2, 8, 3, 2
WIDTH, IDENTITY_DIM, SPATIAL, TEMPORAL, FIRST = 12, 6, 6, 9, 4


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("ops", [TORCH_OPS, TRAINING_OPS], ids=["fused", "matmul"])
@pytest.mark.parametrize("rows", [1, 3], ids=["a line", "a grid"])
@pytest.mark.parametrize("basis", ["orthogonal", "orthonormal"])
def test_equations_2_and_3_sum_the_attention_to_both_latents_banks_at_their_places(
    heads: int, ops: Ops, rows: int, basis: str
) -> None:
    ram = make_ram(heads=heads, ops=ops, identity_dim=0, banks=make_banks(rows=rows, basis=basis))
    x = random(CLIPS * FRAMES, CHANNELS, HIGH, WIDE)
    np.testing.assert_allclose(refinement(ram, x), latent_by_loops(ram, x, heads), atol=1e-4)


@pytest.mark.parametrize("heads", [1, 2])
def test_equation_4_attends_to_the_identity_descriptor_of_the_clip(heads: int) -> None:
    ram = make_ram(heads=heads, banks=())
    x = random(CLIPS * FRAMES, CHANNELS, HIGH, WIDE)
    np.testing.assert_allclose(refinement(ram, x), identity_by_loops(ram, x, heads), atol=1e-4)


def test_equation_5_adds_both_to_the_feature_where_the_predicted_mask_is() -> None:
    ram = make_ram(heads=2)
    x = random(CLIPS * FRAMES, CHANNELS, HIGH, WIDE)
    mask = mask_by_loops(ram, x)
    refined = latent_by_loops(ram, x, 2) + identity_by_loops(ram, x, 2)
    with torch.no_grad():
        out = ram(x, conditions()).numpy()
    for row, channel, high, wide in np.ndindex(out.shape):
        at = row, channel, high, wide
        expected = refined[at] * mask[row, 0, high, wide] + x[at]
        assert out[at] == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize("normalised", [False, True])
def test_the_basis_is_that_of_the_classical_gram_schmidt_process(normalised: bool) -> None:
    vectors = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(3))
    expected = np.stack(
        [gram_schmidt_by_loops(group, normalised=normalised) for group in vectors.double().numpy()]
    )
    np.testing.assert_allclose(gram_schmidt(vectors, normalised=normalised).numpy(), expected, atol=1e-5)


def test_rope_multiplies_pairs_of_channels_as_complex_numbers() -> None:
    keys = torch.randn(7, 10, generator=torch.Generator().manual_seed(4))
    index = torch.tensor([0, 1, 2, 5, 63, 64, 511])
    np.testing.assert_allclose(rope(keys, index).numpy(), rope_by_loops(keys, index), atol=1e-4)


def make_banks(*, rows: int = 3, basis: Literal["orthogonal", "orthonormal"]) -> tuple[BankConfig, ...]:
    return (
        BankConfig(axis="spatial", spatial=SPATIAL, rows=rows, basis=basis),
        BankConfig(axis="temporal", temporal=TEMPORAL, first_position=FIRST, basis=basis),
    )


def make_ram(*, heads: int, ops: Ops = TORCH_OPS, **changes: object) -> RegionAttention:
    config = RegionAttentionConfig(
        region="hands",
        width=WIDTH,
        heads=heads,
        banks=make_banks(basis="orthonormal"),
        identity_dim=IDENTITY_DIM,
        mask_width=4,
    ).derive(**changes)
    site = Site(block="mid_block", index=0, stage=0, channels=CHANNELS, embedding_dim=8, norm_groups=2)
    ram = RegionAttention(config, site=site, ops=ops)
    generator = torch.Generator().manual_seed(heads)
    for parameter in ram.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    return ram


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def conditions(*wanted: str) -> Conditions:
    tokens = random(CLIPS, 4, IDENTITY_DIM, seed=2)
    rows = (True,) * CLIPS
    return Conditions(
        frames=FRAMES, identity={"hands": tokens}, reference_rows=rows, taps=Taps(frozenset(wanted))
    )


def refinement(ram: RegionAttention, x: torch.Tensor) -> np.ndarray:
    """What equation 5 multiplies by the mask: (out - in) / M_pred."""
    told = conditions("mask")
    with torch.no_grad():
        out = ram(x, told)
    (logits,) = told.taps.values["mask"].values()
    return ((out - x) / logits.sigmoid()).numpy()


def latent_by_loops(ram: RegionAttention, x: torch.Tensor, heads: int) -> np.ndarray:
    part = ram.attentions["latent"]
    keys_values = {}
    for axis, bank in part.banks.items():
        basis = gram_schmidt_by_loops(array(bank.latents)[0], normalised=bank.config.basis == "orthonormal")
        keys = [
            turned_by_loops(array(part.to_k[axis].weight) @ vector, places_of_vector(axis, i, bank), heads)
            for i, vector in enumerate(basis)
        ]
        keys_values[axis] = (keys, [array(part.to_v[axis].weight) @ vector for vector in basis])
    out = np.zeros(x.shape)
    for row, high, wide in np.ndindex(len(x), HIGH, WIDE):
        q = array(part.to_q.weight) @ normalised(ram, x[row, :, high, wide])
        total = np.zeros(len(q))
        for axis, (keys, values) in keys_values.items():
            places = places_of_token(axis, row % FRAMES, high, wide, part.banks[axis])
            total += attention_by_loops(turned_by_loops(q, places, heads), keys, values, heads)
        out[row, :, high, wide] = array(part.to_out.weight) @ total + array(part.to_out.bias)
    return out


def places_of_vector(axis: str, number: int, bank: LatentsBank) -> list[float]:
    """A temporal vector is a frame; a spatial one a place on a line, or a row and a column."""
    if axis == "temporal" or bank.config.rows == 1:
        return [number]
    columns = SPATIAL // bank.config.rows
    return [number // columns, number % columns]


def places_of_token(axis: str, frame: int, high: int, wide: int, bank: LatentsBank) -> list[float]:
    """Where a token is, in the numbering of the vectors: 0 and n - 1 lie in the middle of the outer cells."""
    if axis == "temporal":
        return [FIRST + frame]
    rows, columns = bank.config.rows, SPATIAL // bank.config.rows
    if rows == 1:
        share = (high * WIDE + wide + 0.5) / (HIGH * WIDE)
        return [share * SPATIAL - 0.5]
    return [(high + 0.5) / HIGH * rows - 0.5, (wide + 0.5) / WIDE * columns - 0.5]


def turned_by_loops(vector: np.ndarray, places: list[float], heads: int) -> np.ndarray:
    """RoPE in every head: its channels in equal shares for each place, pairs as complex numbers."""
    out, per_head = vector.copy(), len(vector) // heads
    half = per_head // (2 * len(places))
    for head, (number, place), i in itertools.product(range(heads), enumerate(places), range(half)):
        first = head * per_head + number * 2 * half + i
        turn = place * 10000.0 ** (-i / half)
        pair = complex(vector[first], vector[first + half]) * complex(math.cos(turn), math.sin(turn))
        out[first], out[first + half] = pair.real, pair.imag
    return out


def identity_by_loops(ram: RegionAttention, x: torch.Tensor, heads: int) -> np.ndarray:
    part, tokens = ram.attentions["identity"], array(conditions().identity["hands"])
    out = np.zeros(x.shape)
    for row, high, wide in np.ndindex(len(x), HIGH, WIDE):
        own = tokens[row // FRAMES]
        q = array(part.to_q.weight) @ normalised(ram, x[row, :, high, wide])
        keys = [array(part.to_k.weight) @ token for token in own]
        values = [array(part.to_v.weight) @ token for token in own]
        attended = attention_by_loops(q, keys, values, heads)
        out[row, :, high, wide] = array(part.to_out.weight) @ attended + array(part.to_out.bias)
    return out


def attention_by_loops(q: np.ndarray, keys: list, values: list, heads: int) -> np.ndarray:
    """softmax(q K^T / sqrt(d)) V for one query; with several heads each takes its share of the channels."""
    out = np.zeros(len(q))
    for head in range(heads):
        share = slice(head * len(q) // heads, (head + 1) * len(q) // heads)
        d = len(q[share])
        scores = [sum(q[share] * key[share]) / math.sqrt(d) for key in keys]
        powers = [math.exp(score) for score in scores]
        for power, value in zip(powers, values, strict=True):
            out[share] += power / sum(powers) * value[share]
    return out


def mask_by_loops(ram: RegionAttention, x: torch.Tensor) -> np.ndarray:
    hidden = convolve_by_loops(array(x), ram.mask_predictor.conv_in)
    return sigmoid(convolve_by_loops(hidden * sigmoid(hidden), ram.mask_predictor.conv_out))


def convolve_by_loops(x: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    weight, bias = array(layer.weight), array(layer.bias)
    out = np.zeros((len(x), len(weight), *x.shape[2:]))
    for row, channel, high, wide in np.ndindex(out.shape):
        total = bias[channel]
        for down, right in np.ndindex(3, 3):
            y, z = high + down - 1, wide + right - 1
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                total += weight[channel, :, down, right] @ x[row, :, y, z]
        out[row, channel, high, wide] = total
    return out


def gram_schmidt_by_loops(vectors: np.ndarray, *, normalised: bool) -> np.ndarray:
    basis: list[np.ndarray] = []
    for vector in vectors:
        rest = vector.copy()
        for earlier in basis:
            rest -= (vector @ earlier) / (earlier @ earlier) * earlier
        basis.append(rest / math.sqrt(rest @ rest) if normalised else rest)
    return np.array(basis)


def rope_by_loops(x: torch.Tensor, index: torch.Tensor) -> np.ndarray:
    x_LD, half = array(x), x.shape[1] // 2
    out = np.zeros_like(x_LD)
    for row, i in np.ndindex(len(x_LD), half):
        turn = int(index[row]) * 10000.0 ** (-2 * i / (2 * half))
        turned = complex(x_LD[row, i], x_LD[row, i + half]) * complex(math.cos(turn), math.sin(turn))
        out[row, i], out[row, i + half] = turned.real, turned.imag
    return out


def normalised(ram: RegionAttention, feature: torch.Tensor) -> np.ndarray:
    x = array(feature)
    scaled = (x - x.mean()) / math.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
    return scaled * array(ram.norm.weight) + array(ram.norm.bias)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def array(x: torch.Tensor) -> np.ndarray:
    return x.detach().double().numpy()
