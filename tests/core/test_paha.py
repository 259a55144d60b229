"""PAHA as a system: what the paper says it is; its one network reads portrait, first frame and sound."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cyberhost_core.backbone.transformer import ImageTokensConfig
from cyberhost_core.conditioners.image_tokens import ImageTokens
from cyberhost_core.conditioners.reference_input import ReferenceInput
from cyberhost_core.conditioners.stacked_frames import StackedFrames
from cyberhost_core.conditioners.values import REFERENCE, SOUND
from cyberhost_core.sampling.denoise import SamplingOptions
from cyberhost_core.sampling.track import Track
from cyberhost_core.sampling.video import sample_video
from cyberhost_core.systems import paha
from cyberhost_core.systems.model import SystemModel, on_meta
from cyberhost_core.systems.spec import LongVideoSpec, SystemSpec
from cyberhost_core.training.recipes.reading import read_recipe

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

FRAMES = 4


@pytest.fixture
def spec(small_spec: SystemSpec) -> SystemSpec:
    """PAHA's layers and conditioners at the size of the tests."""
    block, *_, motion = small_spec.unet.layers
    own = paha.paper().unet.layers[0]
    layers = tuple(
        layer.derive(token_dim=10) if hasattr(layer, "token_dim") else layer for layer in own.layers
    )
    motion = motion.derive(first_position=2)
    (sound,) = (one for one in small_spec.conditioners if one.kind == "sound")
    return small_spec.derive(
        name="small-paha",
        unet=small_spec.unet.derive(
            layers=(block.derive(layers=layers), motion), plain_layers=(motion,), norm_groups=4
        ),
        conditioners=(
            ImageTokens(source="clip", vector_dim=8, token_dim=10, projected=True),
            sound,
            StackedFrames(),
        ),
        long_video=LongVideoSpec(frames=FRAMES, kept=FRAMES),
    )


class Told:
    """One clip of a model: predict under changes of what it is told."""

    def __init__(self, model: SystemModel, clips: Callable) -> None:
        self.model, given = model, clips(model)
        self.portrait: dict[str, Tensor] = {name: value[:1] for name, value in given.portrait.items()}
        self.drive = given.driven(slice(0, 1))
        self.noised = given.latents[0]
        generator = torch.Generator().manual_seed(8)
        self.past = torch.randn(1, 1, *self.noised.shape[1:], generator=generator)

    def predict(self, *, past: Tensor | None = None, missing: frozenset[str] = frozenset()) -> Tensor:
        reference = self.model.read(self.portrait)
        motion = self.model.follow(self.past[:, :0] if past is None else past, reference)
        told = self.model.conditions(reference, replace(self.drive, motion=motion), missing=(missing,))
        return self.model.denoiser(self.noised, torch.tensor([500.0]), told)


@pytest.fixture
def told(spec: SystemSpec, build: Callable, clips: Callable) -> Told:
    return Told(build(spec), clips)


def test_the_values_of_the_paper() -> None:
    """Sections 4.1.1 and 5.1, appendix B.1 and B.4."""
    spec, recipe = paha.paper(), read_recipe("paha")
    assert (spec.height, spec.width, spec.long_video.frames) == (512, 512, 32)
    assert (spec.schedule.sampler, spec.schedule.steps) == ("ddim", 30)
    kinds = [layer.kind for layer in spec.unet.layers[0].layers]
    assert kinds.index("inline_audio") == kinds.index("image_tokens") + 1, "audio after each reference layer"
    assert spec.past_frames == 1, "the last frame of a segment opens the next"
    video = recipe.video
    assert (video.frames, video.steps, video.learning_rate) == (32, 100_000, 5e-5)
    assert recipe.image is None, "it is trained in one stage"
    (loss,) = video.losses
    awareness = loss.awareness
    assert (awareness.threshold, awareness.radius_px) == (0.8, 10)
    assert (awareness.small_weight, awareness.body_weight) == (10, 2)


def test_there_is_no_reference_net_and_the_denoiser_is_the_only_large_part() -> None:
    for make in (paha.paper, paha.tiny):
        parts = {name.split(".")[0] for name, _ in on_meta(make()).named_parameters()}
        assert "reference_net" not in parts
        assert {"denoiser", "audio_projection", "image_projection"} <= parts


@pytest.mark.parametrize("given", ["latents", "image_vector"])
def test_frames_look_at_the_portrait(told: Told, given: str) -> None:
    before = told.predict()
    told.portrait[given] = told.portrait[given].flip(-1)
    assert not torch.allclose(told.predict(), before, atol=1e-3)


def test_without_the_reference_neither_latents_nor_picture_count(told: Told) -> None:
    null = frozenset({REFERENCE, SOUND})
    before = told.predict(missing=null)
    for given in ("latents", "image_vector"):
        told.portrait[given] = torch.randn_like(told.portrait[given])
    torch.testing.assert_close(told.predict(missing=null), before, atol=1e-5, rtol=1e-5)


def test_a_first_frame_is_seen_and_is_none_of_the_frames_that_come_out(told: Told) -> None:
    alone, after = told.predict(), told.predict(past=told.past)
    assert alone.shape == after.shape == told.noised.shape
    assert not torch.allclose(alone, after, atol=1e-3)
    assert not torch.allclose(told.predict(past=-told.past), after, atol=1e-3)


def test_sampled_frames_keep_their_places_in_time_whatever_stands_before_them(told: Told) -> None:
    seen = []
    block = told.model.denoiser.mid_block.motion_modules["0"].transformer_blocks[0]
    block.register_forward_pre_hook(
        lambda _, args, given: seen.append((args[0].shape[1], given["start"])), with_kwargs=True
    )
    told.predict()
    told.predict(past=told.past)
    frames = len(told.noised)
    assert seen == [(frames + 1, 1), (frames + 2, 0)], "the first sampled frame is at place 2 in both"


def test_the_last_frame_of_a_segment_opens_the_next(told: Told, spec: SystemSpec) -> None:
    """Appendix B.4.1. Without first frames, segments know nothing of each other."""

    def second_segment(model: SystemModel, *, seed: int) -> Tensor:
        """Sample two segments; the first of them from another noise."""
        reference = model.read(told.portrait)
        values = {
            name: value[0, :1].expand(2 * FRAMES, *value.shape[2:])
            for name, value in told.drive.values.items()
        }
        options = SamplingOptions(
            schedule=model.spec.schedule.derive(steps=2), guidance=model.spec.guidance, seed=seed
        )
        track = Track(frames=2 * FRAMES, values=values)
        pieces = list(sample_video(model, reference, track, options, on_step=lambda _done, _steps: None))
        return pieces[1]

    followed = second_segment(told.model, seed=0)
    apart = SystemModel(spec.changing(StackedFrames, lambda one: one.derive(first_frame=False)))
    apart.load_state_dict(told.model.state_dict())
    assert not torch.allclose(followed, second_segment(apart.eval(), seed=0), atol=1e-3)


def test_the_figures_reading_adds_the_portrait_to_every_frame_and_leaves_time_to_the_frames(
    spec: SystemSpec,
) -> None:
    """Figure 2: channels; section 4.1.1: time."""
    read = paha.reference_in_channels(spec)
    assert [one.portrait for one in read.listed(StackedFrames)] == [False]
    assert len(read.listed(ReferenceInput)) == 1
    assert paha.reference_in_channels(paha.tiny()).listed(ReferenceInput) == paha.tiny().listed(
        ReferenceInput
    )


def test_the_figures_reading_looks_at_the_portrait_too(
    spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = Told(build(paha.reference_in_channels(spec)), clips)
    before = told.predict()
    told.portrait["latents"] = told.portrait["latents"].flip(-1)
    assert not torch.allclose(told.predict(), before, atol=1e-3)
    assert told.predict(past=told.past).shape == before.shape


def test_the_tiny_one_takes_nearly_all_of_its_weights_from_the_tiny_cyberhost() -> None:
    from cyberhost_core.systems import cyberhost

    known = {name: value.shape for name, value in on_meta(cyberhost.tiny()).state_dict().items()}
    own = on_meta(paha.tiny()).state_dict()
    fresh = {name for name, value in own.items() if known.get(name) != value.shape}
    assert all("attn2" in name or "norm2" in name or "image_projection" in name for name in fresh)
    assert any(isinstance(layer, ImageTokensConfig) for layer in paha.tiny().unet.layers[0].layers)
