"""Each conditioner: what its absence is, that clips do not mix, and that what is not listed is not built.

A clip goes without the portrait ("reference") or the sound, as guidance passes and training leave them out.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cyberhost_core.backbone.audio_projection import (
    AudioProjectionConfig,
    LinearAudioConfig,
    MLPAudioConfig,
    PlainAudioConfig,
)
from cyberhost_core.backbone.audio_transformer import AudioTransformerConfig
from cyberhost_core.backbone.motion_module import MotionModuleConfig
from cyberhost_core.backbone.region_attention import RegionAttentionConfig
from cyberhost_core.backbone.transformer import (
    FeedForwardConfig,
    ImageTokensConfig,
    SelfAttentionConfig,
    SpatialTransformerConfig,
)
from cyberhost_core.backbone.unet import SiteLayerConfig
from cyberhost_core.conditioners.conditioner import Conditioner
from cyberhost_core.conditioners.drawn_maps import DrawnMaps
from cyberhost_core.conditioners.hand_clarity import HandClarity
from cyberhost_core.conditioners.hand_confidence import HandConfidence
from cyberhost_core.conditioners.image_tokens import ImageTokens
from cyberhost_core.conditioners.motion_frames import MotionFrames
from cyberhost_core.conditioners.reference_features import ReferenceFeatures
from cyberhost_core.conditioners.reference_input import ReferenceInput
from cyberhost_core.conditioners.region_identity import RegionIdentity
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.conditioners.sound_regions import SoundRegions
from cyberhost_core.conditioners.stacked_frames import StackedFrames
from cyberhost_core.conditioners.values import REFERENCE, SOUND
from cyberhost_core.errors import ConfigError
from cyberhost_core.systems.model import SystemModel, on_meta
from cyberhost_core.systems.spec import SystemSpec

NOTHING_MISSING, NO_PORTRAIT, NO_SOUND = frozenset(), frozenset({REFERENCE}), frozenset({SOUND})
MISSING = (NOTHING_MISSING, NO_SOUND, NO_PORTRAIT, NO_PORTRAIT | NO_SOUND)
# The parts that each kind builds; all kinds are here.
PARTS: dict[type[Conditioner], set[str]] = {
    ImageTokens: {"image_projection"},
    ReferenceFeatures: {"reference_net", "pose_encoder"},
    MotionFrames: set(),
    RegionIdentity: {"hand_encoder", "face_projection"},
    DrawnMaps: {"movement_encoder"},
    ReferenceInput: {"reference_input"},
    Sound: {"audio_projection"},
    SoundRegions: set(),
    HandClarity: {"clarity_embedding"},
    HandConfidence: {"confidence_embedding"},
    StackedFrames: set(),
}


@pytest.fixture
def full_spec(small_spec: SystemSpec) -> SystemSpec:
    """A system of every kind of conditioner, whose layers read all that they bring."""
    (transformer, *rest) = small_spec.unet.layers
    assert isinstance(transformer, SpatialTransformerConfig)
    looking = transformer.derive(
        layers=(*transformer.layers[:-1], ImageTokensConfig(token_dim=8), FeedForwardConfig())
    )
    hearing = AudioTransformerConfig(heads=2, token_dim=10, regions=("full", "face", "lip"))
    (features, motion, identity, _, sound, clarity) = small_spec.conditioners
    in_time = MotionModuleConfig(heads=2, first_position=motion.frames + 2)  # behind portrait and first frame
    (maps,) = small_spec.listed(DrawnMaps)
    return small_spec.derive(
        unet=small_spec.unet.derive(layers=(looking, hearing, *rest[:-1], in_time), plain_layers=(in_time,)),
        conditioners=(
            ImageTokens(source="face", vector_dim=12, token_dim=8, tokens=2, projected=True),
            features,
            motion,
            identity,
            maps.derive(always=False),
            ReferenceInput(),
            sound,
            SoundRegions(),
            clarity,
            HandConfidence(),
            StackedFrames(),
        ),
    )


def only(spec: SystemSpec, *kinds: type[Conditioner]) -> SystemSpec:
    """Keep some kinds of conditioners, and of the layers those that read nothing else."""

    def kept(layer: SiteLayerConfig) -> SiteLayerConfig:
        if isinstance(layer, RegionAttentionConfig) and RegionIdentity not in kinds:
            return layer.derive(identity_dim=0)
        if isinstance(layer, SpatialTransformerConfig) and ImageTokens not in kinds:
            return layer.derive(layers=tuple(part for part in layer.layers if part.kind != "image_tokens"))
        return layer

    layers = tuple(kept(layer) for layer in spec.unet.layers)
    return spec.derive(
        unet=spec.unet.derive(layers=layers),
        conditioners=tuple(one for one in spec.conditioners if isinstance(one, kinds)),
    )


def lacking(model: SystemModel, kind: type[Conditioner]) -> SystemModel:
    """The same weights in a system without a conditioner."""
    kinds = {type(one) for one in model.spec.conditioners} - {kind}
    other = SystemModel(only(model.spec, *kinds)).eval().requires_grad_(False)
    missing, _ = other.load_state_dict(model.state_dict(), strict=False)
    assert not missing
    return other


def predicted(told: object, missing: frozenset[str], **changes: Tensor) -> Tensor:
    """Predict for clips that go without something; changes: other inputs, by name."""
    portrait = {name: changes.get(name, value) for name, value in told.portrait.items()}
    reference = told.model.read(portrait)
    drive = told.driven(motion=told.model.follow(told.past, reference))
    conditions = told.model.conditions(reference, drive, missing=(missing,) * drive.clips)
    return told.predict(conditions)


@pytest.mark.parametrize("kind", [ReferenceFeatures, RegionIdentity, DrawnMaps, ReferenceInput])
def test_an_absent_portrait_is_as_if_the_system_did_not_list_the_conditioner(
    kind: type[Conditioner], full_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    """Self-attention meets itself only, identity attention adds nothing, nothing is added after conv_in."""
    model = build(only(full_spec, kind, Sound, SoundRegions, HandClarity))
    absent = predicted(clips(model), NO_PORTRAIT)
    unlisted = predicted(clips(lacking(model, kind)), NO_PORTRAIT)
    torch.testing.assert_close(absent, unlisted, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(absent, predicted(clips(model), NOTHING_MISSING), atol=1e-3)


def test_an_empty_map_is_not_an_absent_one(full_spec: SystemSpec, build: Callable, clips: Callable) -> None:
    told = clips(build(full_spec))
    absent = predicted(told, NO_PORTRAIT)
    told.drive["maps"] = torch.zeros_like(told.drive["maps"])
    black = told.model.conditions(told.read(), told.driven()).map_NCHW
    assert black.any()
    torch.testing.assert_close(predicted(told, NO_PORTRAIT), absent)


def test_maps_that_are_always_seen_are_seen_without_the_portrait(
    full_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    seen = only(full_spec, DrawnMaps, Sound, SoundRegions).changing(
        DrawnMaps, lambda maps: maps.derive(always=True)
    )
    told = clips(build(seen))
    assert torch.equal(predicted(told, NO_PORTRAIT), predicted(told, NOTHING_MISSING))


def test_without_frames_before_it_a_clip_stands_alone(
    full_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(full_spec))
    assert not told.model.follow(told.past[:, :0], told.read()).values
    first = told.predict(told.conditions())
    told.model = lacking(told.model, MotionFrames)
    assert torch.equal(told.predict(told.conditions()), first)


def test_frames_before_a_clip_are_still_seen_without_the_portrait(
    full_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(full_spec))
    before = predicted(told, NO_PORTRAIT)
    told.past = told.past + 1
    assert not torch.allclose(predicted(told, NO_PORTRAIT), before, atol=1e-3)


def test_absent_image_tokens_are_those_of_a_vector_of_zeros(
    full_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(only(full_spec, ImageTokens, Sound, SoundRegions)))
    zeros = torch.zeros_like(told.portrait["image_vector"])
    absent = predicted(told, NO_PORTRAIT)
    torch.testing.assert_close(predicted(told, NOTHING_MISSING, image_vector=zeros), absent)
    assert not torch.allclose(predicted(told, NOTHING_MISSING), absent, atol=1e-3)


def test_a_vector_that_is_not_projected_is_the_tokens_end_to_end(
    full_spec: SystemSpec, clips: Callable
) -> None:
    tokens = ImageTokens(source="clip", vector_dim=16, token_dim=8)
    spec = only(full_spec, Sound, SoundRegions)
    told = clips(SystemModel(spec.derive(conditioners=(tokens, *spec.conditioners))).eval())
    reference = told.read()
    assert torch.equal(reference["image"], told.portrait["image_vector"].unflatten(1, (2, 8)))
    assert not reference["null_image"].any()


@pytest.mark.parametrize(
    ("projection", "token_dim"),
    [(LinearAudioConfig(), 10), (MLPAudioConfig(hidden_dim=8, tokens=3), 10), (PlainAudioConfig(), 6)],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_an_absent_sound_is_what_its_projection_calls_silence(
    projection: AudioProjectionConfig,
    token_dim: int,
    small_spec: SystemSpec,
    fill: Callable,
    clips: Callable,
) -> None:
    def projected(sound: Sound) -> Sound:
        return sound.derive(projection=projection, token_dim=token_dim)

    model = SystemModel(only(small_spec, Sound).changing(Sound, projected)).eval()
    fill(model)
    told = clips(model)
    audio = told.drive["audio"].flatten(0, 1)
    with torch.no_grad():
        mixed = model.conditions(told.read(), told.driven(), missing=(NO_SOUND, NO_PORTRAIT)).audio_NWD
        heard, silence = model.audio_projection(audio), model.audio_projection.silent(audio)
    assert torch.equal(mixed[: told.frames], silence[: told.frames])
    assert torch.equal(mixed[told.frames :], heard[told.frames :]), "without the portrait it is still heard"
    assert not torch.allclose(heard, silence, atol=1e-3)


def test_a_sound_of_one_frame_is_held_through_the_clip(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(small_spec))
    told.drive["audio"] = told.drive["audio"][:, :1]
    held = told.predict(told.conditions())
    told.drive["audio"] = told.drive["audio"].expand(-1, told.frames, -1, -1)
    assert torch.equal(told.predict(told.conditions()), held)


@pytest.mark.parametrize("name", ["clarity", "confidence"])
def test_numbers_of_hands_are_told_to_every_pass(
    name: str, full_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(full_spec))
    nothing_else = NO_PORTRAIT | NO_SOUND
    before = predicted(told, nothing_else)
    told.drive[name] = told.drive[name] * 0.5
    assert not torch.allclose(predicted(told, nothing_else), before, atol=1e-4)


def test_regions_that_are_not_weighed_listen_in_full(
    full_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(full_spec))
    plain = predicted(told, NOTHING_MISSING)
    told.drive["region_weights"] = torch.ones(2, 1, 3)
    assert torch.equal(predicted(told, NOTHING_MISSING), plain)
    told.drive["region_weights"] = torch.tensor([[[1.0, 0.0, 1.0]]]).repeat(2, 1, 1)
    assert not torch.allclose(predicted(told, NOTHING_MISSING), plain, atol=1e-3)


def test_clips_that_go_without_different_things_are_what_each_is_alone(
    full_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    model = build(full_spec)
    told = clips(model, count=len(MISSING))
    reference = told.read()
    drive = told.driven(motion=model.follow(told.past, reference))
    mixed = told.predict(model.conditions(reference, drive, missing=MISSING)).unflatten(0, (len(MISSING), -1))
    for clip, missing in enumerate(MISSING):
        one = slice(clip, clip + 1)
        reference = told.read(one)
        drive = told.driven(one, motion=model.follow(told.past[one], reference))
        alone = told.predict(model.conditions(reference, drive, missing=(missing,)), one)
        torch.testing.assert_close(mixed[clip], alone, atol=1e-4, rtol=1e-4)


def test_every_kind_of_conditioner_is_stated_here(full_spec: SystemSpec) -> None:
    known = {kind for kind in Conditioner._members.values() if kind.__module__.startswith("cyberhost_core.")}
    assert {type(one) for one in full_spec.conditioners} == PARTS.keys() == known


@pytest.fixture
def undemanding_spec(full_spec: SystemSpec) -> SystemSpec:
    """Every conditioner, and no layer that cannot do without one."""
    attention = SpatialTransformerConfig(layers=(SelfAttentionConfig(), FeedForwardConfig()))
    return full_spec.derive(unet=full_spec.unet.derive(layers=(attention,), plain_layers=()))


@pytest.mark.parametrize("kind", PARTS)
def test_what_a_system_does_not_list_builds_no_parameters(
    kind: type[Conditioner], undemanding_spec: SystemSpec
) -> None:
    kinds = (kind, MotionFrames) if kind is ReferenceFeatures else (kind,)
    whole, without = shapes(undemanding_spec), shapes(undemanding_spec.without(*kinds))
    gone = {key for key in whole if key.split(".")[0] in PARTS[kind]}
    assert {key.split(".")[0] for key in gone} == PARTS[kind]
    assert without == {key: shape for key, shape in whole.items() if key not in gone}


def test_a_system_without_conditioners_is_its_denoiser_alone(undemanding_spec: SystemSpec) -> None:
    assert {key.split(".")[0] for key in shapes(undemanding_spec.derive(conditioners=()))} == {"denoiser"}


def test_features_without_a_skeleton_build_no_encoder_for_one(full_spec: SystemSpec) -> None:
    plain = full_spec.changing(ReferenceFeatures, lambda features: features.derive(skeleton=None))
    gone = shapes(full_spec).keys() - shapes(plain).keys()
    assert {key.split(".")[0] for key in gone} == {"pose_encoder"}


@pytest.mark.parametrize("kept", ["face", "hands"])
def test_identity_of_one_region_builds_no_encoder_for_the_other(
    kept: str, undemanding_spec: SystemSpec
) -> None:
    parts = {"hands": "hand_encoder", "face": "face_projection"}
    other = parts["face" if kept == "hands" else "hands"]
    spec = undemanding_spec.changing(RegionIdentity, lambda identity: identity.derive(regions=(kept,)))
    gone = shapes(undemanding_spec).keys() - shapes(spec).keys()
    assert {key.split(".")[0] for key in gone} == {other}


def test_motion_frames_without_a_reference_net_are_refused(full_spec: SystemSpec) -> None:
    with pytest.raises(ConfigError, match=r"lists motion frames, .*; list reference_features first"):
        on_meta(full_spec.without(ReferenceFeatures))


def test_a_conditioner_that_does_not_say_how_it_is_trained_is_refused(full_spec: SystemSpec) -> None:
    (one,) = full_spec.listed(ImageTokens)
    with pytest.raises(ConfigError, match="conditioner 'image_tokens', but prepared videos hold nothing"):
        Conditioner.portrait_of(one, None, unet=full_spec.unet)  # type: ignore[arg-type]


def shapes(spec: SystemSpec) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in on_meta(spec).state_dict().items()}
