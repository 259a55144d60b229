"""The motion module: frames of the previous segment stand in front, are attended to and are cut off."""

from collections.abc import Callable

import pytest
import torch

from cyberhost_core.backbone.conditions import Conditions
from cyberhost_core.backbone.motion_module import MotionModule, MotionModuleConfig, sinusoidal
from cyberhost_core.backbone.ops import TORCH_OPS
from cyberhost_core.backbone.site import Site
from cyberhost_core.systems.spec import SystemSpec

CLIPS, FRAMES, MOTION, CHANNELS, HIGH, WIDE = 2, 5, 4, 8, 3, 2
PATH = "mid_block.attentions.0"


@pytest.fixture
def module(fill: Callable) -> Callable[..., MotionModule]:
    def module(**changes: int) -> MotionModule:
        site = Site(block="mid_block", index=0, stage=0, channels=CHANNELS, embedding_dim=8, norm_groups=2)
        built = MotionModule(MotionModuleConfig(heads=2, **changes), site=site, ops=TORCH_OPS)
        fill(built)
        return built.eval().requires_grad_(False)

    return module


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_motion_frames_are_the_frames_before_the_clip(module: Callable) -> None:
    motion, clip = random(CLIPS, MOTION, HIGH * WIDE, CHANNELS), random(CLIPS, FRAMES, CHANNELS, HIGH, WIDE)
    found = module()(clip.flatten(0, 1), Conditions(frames=FRAMES, motion={PATH: motion}))
    as_frames = motion.transpose(2, 3).unflatten(3, (HIGH, WIDE))
    whole = torch.cat([as_frames, clip], dim=1)
    longer = module(first_position=0)(whole.flatten(0, 1), Conditions(frames=MOTION + FRAMES))
    expected = longer.unflatten(0, (CLIPS, -1))[:, MOTION:]
    torch.testing.assert_close(found.unflatten(0, (CLIPS, -1)), expected, atol=1e-5, rtol=1e-5)


def test_a_first_segment_keeps_the_positions_of_every_other_segment(module: Callable) -> None:
    clip = random(FRAMES, CHANNELS, HIGH, WIDE)
    told = Conditions(frames=FRAMES)
    assert not torch.allclose(module()(clip, told), module(first_position=0)(clip, told), atol=1e-3)


def test_positions_of_the_picture_do_not_see_each_other(module: Callable) -> None:
    built = module()
    x = random(FRAMES, CHANNELS, HIGH, WIDE)
    changed = x.clone()
    # A permutation inside a normalisation group keeps the group's statistics, so only one place changes.
    changed[2, :4, 1, 0] = x[2, :4, 1, 0].flip(0)
    moved = (built(changed, Conditions(frames=FRAMES)) - built(x, Conditions(frames=FRAMES))).abs()
    elsewhere = torch.ones(HIGH, WIDE, dtype=torch.bool)
    elsewhere[1, 0] = False
    assert float(moved[..., elsewhere].max()) < 1e-5
    assert (moved[:, :, 1, 0].amax(dim=1) > 1e-4).all(), "all frames see the change at its place"


def test_group_norm_takes_its_statistics_from_one_frame(module: Callable) -> None:
    built, seen = module(), []
    built.proj_in.register_forward_pre_hook(lambda *call: seen.append(call[1][0]))
    x = random(FRAMES, CHANNELS, HIGH, WIDE)
    built(x, Conditions(frames=FRAMES))
    louder = x.clone()
    louder[0] *= 100
    built(louder, Conditions(frames=FRAMES))
    torch.testing.assert_close(seen[0][:, 1:], seen[1][:, 1:])


def test_positions_are_interleaved_sines_and_cosines() -> None:
    table = sinusoidal(32, 8)
    for position in range(32):
        for pair in range(4):
            angle = torch.tensor(position / 10000.0 ** (2 * pair / 8))
            assert float(table[position, 2 * pair]) == pytest.approx(float(angle.sin()), abs=1e-5)
            assert float(table[position, 2 * pair + 1]) == pytest.approx(float(angle.cos()), abs=1e-5)


def test_motion_frames_change_every_frame_of_the_clip_but_not_how_many_there_are(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec), count=1)
    first, later = told.predict(told.conditions()), told.predict(told.conditions(motion=True))
    assert first.shape == later.shape == (told.frames, 4, 4, 3)
    assert ((first - later).flatten(1).abs().amax(dim=1) > 1e-3).all()


def test_each_clip_of_a_batch_has_its_own_motion_frames(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec))
    before = told.predict(told.conditions(motion=True)).unflatten(0, (2, -1))
    told.past[1] += 1
    after = told.predict(told.conditions(motion=True)).unflatten(0, (2, -1))
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1], atol=1e-3)
