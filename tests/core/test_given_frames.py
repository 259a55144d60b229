"""Clean frames that open a clip: all layers see them, and they are in neither the input nor the output."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from cyberhost_core.backbone.conditions import Conditions, join
from cyberhost_core.systems.spec import SystemSpec

GIVEN = 2


@dataclass
class Opened:
    """Two clips of three frames, and clean frames that may open them."""

    told: object
    given_BGCHW: Tensor

    def conditions(self, given_BGCHW: Tensor | None = None) -> Conditions:
        given = self.given_BGCHW if given_BGCHW is None else given_BGCHW
        return self.told.conditions(motion=True).opened_by(given)

    def predict(self, given_BGCHW: Tensor | None = None) -> Tensor:
        return self.told.predict(self.conditions(given_BGCHW))


def with_room(spec: SystemSpec) -> SystemSpec:
    """Let motion modules have places for given frames before those of the frames of the segment before."""

    def moved(layers: tuple) -> tuple:
        return tuple(
            layer.derive(first_position=layer.first_position + GIVEN)
            if layer.kind == "motion_module"
            else layer
            for layer in layers
        )

    unet = spec.unet
    return spec.derive(unet=unet.derive(layers=moved(unet.layers), plain_layers=moved(unet.plain_layers)))


@pytest.fixture
def opened(small_spec: SystemSpec, build: Callable, clips: Callable) -> Opened:
    told = clips(build(with_room(small_spec)))
    generator = torch.Generator().manual_seed(5)
    return Opened(told, torch.randn(2, GIVEN, *told.latents.shape[2:], generator=generator))


def test_only_the_sampled_frames_come_back(opened: Opened) -> None:
    out = opened.predict()
    assert out.shape == opened.told.latents.flatten(0, 1).shape
    assert torch.isfinite(out).all()


def test_given_frames_influence_the_frames_of_their_own_clip_alone(opened: Opened) -> None:
    before = opened.predict().unflatten(0, (2, -1))
    for frame in range(GIVEN):
        changed = opened.given_BGCHW.clone()
        changed[0, frame] += 1
        after = opened.predict(changed).unflatten(0, (2, -1))
        assert not torch.allclose(after[0], before[0], atol=1e-3)
        assert torch.equal(after[1], before[1])


def test_no_given_frames_change_nothing(opened: Opened) -> None:
    plain = opened.told.predict(opened.told.conditions(motion=True))
    assert torch.equal(opened.predict(opened.given_BGCHW[:, :0]), plain)
    assert not torch.allclose(opened.predict(), plain, atol=1e-3), "some given frames change something"


def test_without_layers_over_time_given_frames_change_nothing(
    small_spec: SystemSpec, build: Callable, clips: Callable, opened: Opened
) -> None:
    told = clips(build(small_spec.derive(unet=small_spec.unet.without("motion_module", "region_attention"))))
    still = Opened(told, opened.given_BGCHW)
    plain = told.predict(told.conditions(motion=True))
    torch.testing.assert_close(still.predict(), plain, atol=1e-4, rtol=1e-4)


def test_given_frames_stand_at_timestep_0_whatever_that_of_their_clip(opened: Opened) -> None:
    denoiser, seen = opened.told.model.denoiser, []
    denoiser.mid_block.register_forward_pre_hook(lambda _, args: seen.append(args[1].embedding_NE))
    for timestep in (100.0, 900.0):
        opened.told.timestep = torch.full((2,), timestep)
        opened.predict()
    early, late = (embedding.unflatten(0, (2, -1)) for embedding in seen)
    clean = denoiser.time_embedding(torch.zeros(1), torch.float32)
    torch.testing.assert_close(early[:, :GIVEN], clean.expand_as(early[:, :GIVEN]))
    assert torch.equal(early[:, :GIVEN], late[:, :GIVEN])
    assert not torch.allclose(early[:, GIVEN:], late[:, GIVEN:], atol=1e-3)


def test_given_frames_hear_and_show_nothing(opened: Opened) -> None:
    plain, told = opened.told.conditions(motion=True), opened.conditions()
    assert (told.frames, told.sampled_frames) == (3 + GIVEN, 3)
    for name in ("audio_NWD", "map_NCHW", "time_NE"):
        before, after = (getattr(one, name).unflatten(0, (2, -1)) for one in (plain, told))
        assert not after[:, :GIVEN].any(), name
        assert torch.equal(after[:, GIVEN:], before), name


def test_opened_passes_can_be_joined(opened: Opened) -> None:
    rows = opened.told.latents.flatten(0, 1).repeat(2, 1, 1, 1)
    joined = join([opened.conditions(), opened.conditions(opened.given_BGCHW.flip(0))])
    together = opened.told.model.denoiser(rows, opened.told.timestep.repeat(2), joined)
    apart = torch.cat([opened.predict(), opened.predict(opened.given_BGCHW.flip(0))])
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)
