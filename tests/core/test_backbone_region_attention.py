"""What the latents bank is for: it knows where in the picture and when in the clip a token is.

One feature everywhere, or the same features in another order, so that nothing but the place can make a
difference (CyberHost 3.2: L_spa "in the spatial dimension", L_temp "in the temporal dimension").
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from cyberhost_core import bundled
from cyberhost_core.backbone.conditions import Conditions
from cyberhost_core.backbone.latents_bank import BankConfig, Tokens
from cyberhost_core.backbone.motion_module import MotionModuleConfig
from cyberhost_core.backbone.ops import TORCH_OPS
from cyberhost_core.backbone.region_attention import RegionAttention, RegionAttentionConfig
from cyberhost_core.backbone.site import Site
from cyberhost_core.checkpoints.file import load_checkpoint
from cyberhost_core.systems.cyberhost import SYSTEMS
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SystemSpec

CLIPS, FRAMES, HIGH, WIDE, CHANNELS = 2, 5, 4, 3, 16
SMALL: dict[str, Any] = {"spatial": 12, "temporal": 12, "rows": 4}


def make_ram(axis: str, fill: Callable, **changes: Any) -> RegionAttention:
    """One bank and nothing else; every axis draws the same weights."""
    config = RegionAttentionConfig(
        region="hands",
        width=16,
        heads=2,
        banks=(BankConfig(axis=axis, **{**SMALL, **changes}),),
        identity_dim=0,
        mask_width=4,
    )
    site = Site(block="mid_block", index=0, stage=0, channels=CHANNELS, embedding_dim=8, norm_groups=2)
    ram = RegionAttention(config, site=site, ops=TORCH_OPS)
    fill(ram)
    return ram.eval()


@torch.no_grad()
def f_latent(ram: RegionAttention, x_NCHW: Tensor, *, frames: int = FRAMES) -> Tensor:
    """F_latent of equation 2, (clips, frames, C, H, W)."""
    told = Conditions(frames=frames, clips=len(x_NCHW) // frames)
    refined = (ram(x_NCHW, told) - x_NCHW) / ram.mask_predictor(x_NCHW).sigmoid()
    return refined.unflatten(0, (-1, frames))


def one_feature(high: int = HIGH, wide: int = WIDE) -> Tensor:
    """The same feature for every token of every frame."""
    feature = torch.randn(CHANNELS, generator=torch.Generator().manual_seed(1))
    return feature[None, :, None, None].expand(CLIPS * FRAMES, -1, high, wide)


def random_features() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(CLIPS * FRAMES, CHANNELS, HIGH, WIDE, generator=generator)


def spread(values: Tensor, *, over: int | tuple[int, ...]) -> float:
    """How far values differ along some axes, in parts of how large they are."""
    return float(values.std(dim=over).mean() / values.std())


FRAME, PLACE = 1, (3, 4)


@pytest.mark.parametrize(
    ("axis", "by_frame", "by_place"),
    [("temporal", True, False), ("spatial", False, True), ("unified", True, True)],
)
@pytest.mark.parametrize("rows", [1, 4])
def test_a_bank_knows_the_place_that_it_is_of_and_no_other(
    axis: str, by_frame: bool, by_place: bool, rows: int, fill: Callable
) -> None:
    found = f_latent(make_ram(axis, fill, rows=rows), one_feature())
    for differs, over in ((by_frame, FRAME), (by_place, PLACE)):
        if differs:
            assert spread(found, over=over) > 0.02
        else:
            assert spread(found, over=over) < 1e-5
    torch.testing.assert_close(found[0], found[1])  # clips have the same time


@pytest.mark.parametrize("axis", ["temporal", "unified"])
def test_frames_in_another_order_give_other_results_and_not_the_same_in_that_order(
    axis: str, fill: Callable
) -> None:
    ram, x = make_ram(axis, fill), random_features()
    order = torch.tensor([3, 0, 4, 1, 2])
    swapped = x.unflatten(0, (CLIPS, FRAMES))[:, order].flatten(0, 1)
    there, back = f_latent(ram, swapped), f_latent(ram, x)[:, order]
    assert (there - back).abs().max() > 0.02 * back.abs().max()


def test_one_frame_alone_is_the_first_of_its_clip_and_no_other(fill: Callable) -> None:
    ram, x = make_ram("temporal", fill), random_features()[:FRAMES]
    in_clip = f_latent(ram, x)[0]
    alone = torch.cat([f_latent(ram, frame[None], frames=1)[0] for frame in x])
    torch.testing.assert_close(alone[0], in_clip[0])
    assert all((alone[i] - in_clip[i]).abs().max() > 0.02 * in_clip[i].abs().max() for i in range(1, FRAMES))


def test_a_temporal_and_a_spatial_bank_with_equal_weights_differ(fill: Callable) -> None:
    x = random_features()
    spatial, temporal = (make_ram(axis, fill) for axis in ("spatial", "temporal"))
    own = temporal.state_dict().keys()
    temporal.load_state_dict(dict(zip(own, spatial.state_dict().values(), strict=True)))
    one, two = f_latent(spatial, x), f_latent(temporal, x)
    assert (one - two).abs().max() > 0.02 * one.abs().max()


@pytest.mark.parametrize("rows", [1, 4])
def test_a_place_is_a_share_of_the_picture_whatever_its_size(rows: int, fill: Callable) -> None:
    """The middle of the middle cell is the middle of the picture, in one cell as in 3 x 3 or 9 x 5."""
    ram = make_ram("spatial", fill, rows=rows)
    whole = f_latent(ram, one_feature(1, 1))[..., 0, 0]
    for high, wide in ((3, 3), (9, 5)):
        middle = f_latent(ram, one_feature(high, wide))[..., high // 2, wide // 2]
        torch.testing.assert_close(middle, whole)


def test_places_further_apart_are_told_apart_better(fill: Callable) -> None:
    found = f_latent(make_ram("temporal", fill), one_feature())[0].flatten(1)
    away = [float((found[i] - found[0]).norm()) for i in range(3)]
    assert away[0] < away[1] < away[2]


@pytest.mark.parametrize("axis", ["spatial", "temporal", "unified"])
def test_keys_alone_tell_neither_place_nor_time(axis: str, fill: Callable) -> None:
    """The reading that the first models were trained with; kept as a value, and what it cannot do."""
    found = f_latent(make_ram(axis, fill, places="keys"), one_feature())
    assert spread(found, over=FRAME) < 1e-5
    assert spread(found, over=PLACE) < 1e-5


@pytest.mark.parametrize("system", SYSTEMS)
def test_frames_have_the_positions_of_the_motion_modules(system: str) -> None:
    layers = SYSTEMS[system]().unet.layers
    motion = {layer.first_position for layer in layers if isinstance(layer, MotionModuleConfig)}
    rams = [layer for layer in layers if isinstance(layer, RegionAttentionConfig)]
    banks = {bank.first_position for ram in rams for bank in ram.banks}
    assert motion == banks == {4}


def test_a_fresh_ram_changes_nothing(small_spec: SystemSpec) -> None:
    torch.manual_seed(0)
    (ram, *_) = [one for one in SystemModel(small_spec).modules() if isinstance(one, RegionAttention)]
    x = torch.randn(2 * 3, 16, 4, 3)
    tokens = torch.randn(2, 2, 12)
    told = Conditions(
        frames=3, clips=2, identity={"face": tokens, "hands": tokens}, reference_rows=(True, True)
    )
    assert torch.equal(ram(x, told), x)


@torch.no_grad()
def test_every_bank_of_the_bundled_model_tells_frames_and_places_apart() -> None:
    """One feature for all tokens; the model of version 0.1, which read keys alone, answered all alike."""
    rams = {
        name: module
        for name, module in load_checkpoint(bundled.CHECKPOINT).model.named_modules()
        if isinstance(module, RegionAttention)
    }
    assert len(rams) == 14
    for name, ram in rams.items():
        latent = ram.attentions["latent"]
        feature = torch.randn(1, 1, latent.to_q.in_features, generator=torch.Generator().manual_seed(1))
        tokens = Tokens(frames=12, high=8, wide=6)
        found = latent(feature.expand(12, 48, -1), tokens, Conditions(frames=12, clips=1))
        assert spread(found, over=0) > 0.005, f"{name}: of time"
        assert spread(found, over=1) > 0.001, f"{name}: of place"
