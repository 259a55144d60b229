"""What a layer of the U-Net adds and what it must not: fresh parts, rows without reference, joined passes."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cyberhost_core.backbone.conditions import join
from cyberhost_core.backbone.transformer import SpatialTransformerConfig
from cyberhost_core.backbone.unet import UNetConfig
from cyberhost_core.errors import ConfigError
from cyberhost_core.systems.cyberhost import without_temporal_latents
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SystemSpec


def without_audio(unet: UNetConfig) -> UNetConfig:
    layers = tuple(
        layer.derive(layers=tuple(part for part in layer.layers if part.kind != "inline_audio"))
        if isinstance(layer, SpatialTransformerConfig)
        else layer
        for layer in unet.layers
    )
    return unet.derive(layers=layers)


FRESH = {
    "region_attention": (
        lambda unet: unet.without("region_attention"),
        ("face_attentions", "hands_attentions"),
    ),
    "audio_attention": (without_audio, ("attn_audio", "norm_audio")),
    "motion_module": (lambda unet: unet.without("motion_module"), ("motion_modules",)),
}


@pytest.mark.parametrize("kind", FRESH)
def test_a_fresh_part_changes_nothing(
    kind: str, small_spec: SystemSpec, fill: Callable, clips: Callable
) -> None:
    remove, own_names = FRESH[kind]
    torch.manual_seed(0)
    whole = SystemModel(small_spec)
    fresh = {name: value.clone() for name, value in whole.denoiser.state_dict().items()}
    fill(whole)
    whole.denoiser.load_state_dict(
        {name: value for name, value in fresh.items() if is_part(name, own_names)}, strict=False
    )
    lacking = SystemModel(small_spec.derive(unet=remove(small_spec.unet)))
    missing, extra = lacking.load_state_dict(whole.state_dict(), strict=False)
    assert not missing
    assert extra, "the test compares two different systems"

    outputs = []
    for model in (whole, lacking):
        told = clips(model.eval())
        with torch.no_grad():
            outputs.append(told.predict(told.conditions(motion=True)))
    assert torch.equal(*outputs)


def test_a_trained_part_changes_something(small_spec: SystemSpec, build: Callable, clips: Callable) -> None:
    whole = build(small_spec)
    told = clips(whole)
    before = told.predict(told.conditions(motion=True))
    for remove, _ in FRESH.values():
        lacking = SystemModel(small_spec.derive(unet=remove(small_spec.unet)))
        lacking.load_state_dict(whole.state_dict(), strict=False)
        other = clips(lacking.eval())
        with torch.no_grad():
            assert not torch.allclose(other.predict(other.conditions(motion=True)), before, atol=1e-3)


def test_a_row_without_reference_equals_the_same_clip_alone_without_reference(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec), count=3)
    mixed = told.predict(told.conditions(having=(True, False, True), motion=True)).unflatten(0, (3, -1))
    for clip, has in enumerate((True, False, True)):
        one = slice(clip, clip + 1)
        alone = told.predict(told.conditions(one, having=(has,), motion=True), one)
        torch.testing.assert_close(mixed[clip], alone, atol=1e-4, rtol=1e-4)


def test_without_a_reference_neither_picture_nor_identity_reach_the_output(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec))
    before = told.predict(told.conditions(having=(False, True))).unflatten(0, (2, -1))
    told.portrait = {name: value.flip(-1) for name, value in told.portrait.items()}
    after = told.predict(told.conditions(having=(False, True))).unflatten(0, (2, -1))
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1], atol=1e-3)


@pytest.mark.parametrize("order", list(itertools.permutations(("null", "reference", "full"))))
def test_passes_joined_in_any_order_equal_separate_passes(
    order: tuple[str, ...], small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec), count=1)

    def conditions(name: str) -> object:
        return told.conditions(having=(name != "null",), silent=name != "full", motion=True)

    with torch.no_grad():
        separate = [told.predict(conditions(name)) for name in order]
        rows = told.latents.flatten(0, 1).repeat(3, 1, 1, 1)
        joined = told.model.denoiser(
            rows, told.timestep.expand(3), join([conditions(name) for name in order])
        )
    torch.testing.assert_close(joined, torch.cat(separate), atol=1e-4, rtol=1e-4)


def test_passes_that_differ_in_motion_frames_cannot_be_joined(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec), count=1)
    with pytest.raises(ConfigError, match="cannot be joined; run them one after another"):
        join([told.conditions(motion=True), told.conditions(motion=False)])


def test_what_is_kept_from_an_earlier_step_changes_nothing(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec))
    kept, projected = told.conditions(having=(True, False), motion=True), []
    audio = told.model.denoiser.mid_block.attentions["0"].transformer_blocks[0].attn_audio
    audio.to_k.register_forward_pre_hook(lambda *_: projected.append(1))
    with torch.no_grad():
        first = told.predict(kept)
        assert torch.equal(told.predict(kept), first)
        assert len(projected) == 1, "the sound of a segment is projected once"
        told.timestep = told.timestep / 2
        assert torch.equal(
            told.predict(kept), told.predict(told.conditions(having=(True, False), motion=True))
        )


def test_each_frame_hears_its_own_sound(small_spec: SystemSpec, build: Callable, clips: Callable) -> None:
    spec = small_spec.derive(unet=small_spec.unet.without("motion_module"))
    told = clips(build(spec), count=1)
    before = told.predict(told.conditions())
    told.drive["audio"][0, 1] += 1
    after = told.predict(told.conditions())
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2], after[2])
    assert not torch.allclose(before[1], after[1], atol=1e-3)


@pytest.mark.parametrize("condition", ["maps", "clarity", "audio"])
def test_every_condition_reaches_the_output(
    condition: str, small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec))
    before = told.predict(told.conditions(motion=True))
    told.drive[condition] = told.drive[condition] * 0.5
    assert not torch.allclose(told.predict(told.conditions(motion=True)), before, atol=1e-4)


@pytest.mark.parametrize("name", ["past", "timestep"])
def test_the_frames_before_and_the_timestep_reach_the_output(
    name: str, small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec))
    before = told.predict(told.conditions(motion=True))
    setattr(told, name, getattr(told, name) * 0.5)
    assert not torch.allclose(told.predict(told.conditions(motion=True)), before, atol=1e-4)


@pytest.mark.parametrize("part", ["latents", "skeleton", "hand_crops", "face_vector"])
def test_every_part_of_the_reference_reaches_the_output(
    part: str, small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec))
    before = told.predict(told.conditions())
    told.portrait[part] = told.portrait[part] * 0.5
    assert not torch.allclose(told.predict(told.conditions()), before, atol=1e-4)


def test_frames_are_independent_of_each_other_without_motion_modules_and_temporal_latents(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    spec = without_temporal_latents(small_spec.derive(unet=small_spec.unet.without("motion_module")))
    told = clips(build(spec), count=1)
    together = told.predict(told.conditions())
    frames: list[Tensor] = []
    for frame in range(told.frames):
        alone = clips(told.model, count=1, frames=1)
        alone.latents = told.latents[:, frame : frame + 1]
        alone.drive = told.drive | {
            name: told.drive[name][:, frame : frame + 1] for name in ("audio", "clarity")
        }
        frames.append(alone.predict(alone.conditions()))
    torch.testing.assert_close(together, torch.cat(frames), atol=1e-4, rtol=1e-4)


def test_the_layers_of_a_site_run_in_the_order_listed(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec))
    block, called = told.model.denoiser.mid_block, []
    order = ("attentions", "face_attentions", "hands_attentions", "motion_modules")
    for slot in reversed(order):
        layer: nn.Module = getattr(block, slot)["0"]
        layer.register_forward_pre_hook(lambda *_, slot=slot: called.append(slot))
    told.predict(told.conditions())
    assert tuple(called) == order


def is_part(name: str, own_names: tuple[str, ...]) -> bool:
    return any(own in name.split(".") for own in own_names)
