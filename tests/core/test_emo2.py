"""EMO2's video model: the paper's values, hand confidence, motion maps, the frozen ReferenceNet."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cyberhost_core.backbone.embeddings import ConfidenceEmbedding
from cyberhost_core.backbone.ops import TORCH_OPS
from cyberhost_core.conditioners.asks import CONFIDENCE
from cyberhost_core.conditioners.conditioner import TrackSize
from cyberhost_core.conditioners.drawn_maps import DrawnMaps, MapTraining
from cyberhost_core.conditioners.hand_clarity import HandClarity
from cyberhost_core.conditioners.hand_confidence import HandConfidence
from cyberhost_core.conditioners.reference_features import ReferenceFeatures
from cyberhost_core.conditioners.region_identity import RegionIdentity
from cyberhost_core.conditioners.values import NOTHING, Encoded
from cyberhost_core.data.clip import Clip
from cyberhost_core.data.store import PreparedVideo
from cyberhost_core.errors import CheckpointError
from cyberhost_core.hands.drawing.hand_maps import draw_hand_maps
from cyberhost_core.hands.drawing.keypoint_maps import draw_keypoint_maps, median_filtered
from cyberhost_core.hands.drawing.motion_maps import MotionMaps, draw_motion_maps
from cyberhost_core.profiling.random_inputs import RandomInputs, Size
from cyberhost_core.sampling.track import Track
from cyberhost_core.systems import cyberhost, emo2
from cyberhost_core.systems.model import SystemModel, on_meta
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.batches import BatchMaker, SamplingConfig
from cyberhost_core.training.losses.local_enhancement import LocalEnhancement
from cyberhost_core.training.losses.pose_presence import DISCRIMINATOR, PosePresence
from cyberhost_core.training.losses.region_masks import RegionMasks
from cyberhost_core.training.pose_discriminator import PoseDiscriminator, PoseDiscriminatorConfig
from cyberhost_core.training.recipes.reading import read_recipe
from cyberhost_core.training.runs import RunFiles, stage_trainer, train_stage
from cyberhost_core.training.stage import StageConfig, TrainingModule

ALWAYS = SamplingConfig(drop=(), drop_past=0)
LOSSES = (LocalEnhancement(), RegionMasks())


@pytest.fixture
def hand_spec(small_spec: SystemSpec) -> SystemSpec:
    """The small system, driven by hands as EMO2 is."""
    known = (
        small_spec.derive(name="small-hands", unet=small_spec.unet.without("region_attention"))
        .without(RegionIdentity, HandClarity)
        .changing(ReferenceFeatures, lambda features: features.derive(skeleton=None))
        .changing(
            DrawnMaps,
            lambda maps: maps.derive(encoder=maps.encoder.derive(channels_in=6), drawing="hand_maps"),
        )
    )
    return known.derive(conditioners=(*known.conditioners, HandConfidence(high=(0.9, 0.8))))


def parts(spec: SystemSpec) -> set[str]:
    return {name.split(".", 1)[0] for name in on_meta(spec).state_dict()}


def test_the_papers_values_are_those_of_sections_3_4_and_4_1() -> None:
    spec = emo2.paper()
    assert (spec.height, spec.width) == (704, 512)
    assert (spec.long_video.frames, spec.past_frames) == (24, 12)
    # Of these the paper says nothing: they are written down and not inherited.
    assert {"guidance", "schedule"} <= spec.model_fields_set
    assert (spec.guidance.reference_scale, spec.guidance.audio_scale, spec.schedule.steps) == (2.5, 4.5, 25)
    assert read_recipe("emo2").video.frozen == ("reference_net",), "memory: frozen in the video stage"
    assert (read_recipe("emo2").image.steps, read_recipe("emo2").video.steps) == (100_000, 100_000)
    assert read_recipe("emo2").video.learning_rate == 1e-5
    assert parts(spec) == {
        "denoiser", "reference_net", "movement_encoder", "audio_projection", "confidence_embedding",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["paper", "tiny"])
def test_all_that_is_new_beside_cyberhost_are_two_encoders_of_hands(name: str) -> None:
    """One backbone: the same names and shapes wherever both systems have a part."""
    ours = {k: tuple(v.shape) for k, v in on_meta(getattr(emo2, name)()).state_dict().items()}
    theirs = {k: tuple(v.shape) for k, v in on_meta(getattr(cyberhost, name)()).state_dict().items()}
    new = {key for key, shape in ours.items() if theirs.get(key) != shape}
    assert new == {"confidence_embedding.vectors.weight", "movement_encoder.conv_in.weight"}


def test_twelve_motion_frames_and_a_clip_of_24_find_their_places_in_time() -> None:
    """At the paper's lengths, narrow: the oldest and the newest of the motion frames both count."""
    spec = emo2.paper()
    small = spec.derive(
        unet=spec.unet.derive(
            channels=(16, 16),
            attention_stages=(True, False),
            resnets_per_stage=1,
            norm_groups=4,
            layers=tuple(layer.derive(heads=2) for layer in spec.unet.layers),
            plain_layers=tuple(layer.derive(heads=2) for layer in spec.unet.plain_layers),
        ),
        height=32,
        width=24,
    ).changing(DrawnMaps, lambda maps: maps.derive(encoder=maps.encoder.derive(patch=4, widths=(8, 8))))
    torch.manual_seed(0)
    model = SystemModel(small)
    for weights in model.parameters():
        if weights.ndim > 1 and not weights.any():
            torch.nn.init.normal_(weights, std=0.2)
    inputs = RandomInputs(spec=small, size=Size.of(small), device=torch.device("cpu"), dtype=torch.float32)
    with torch.no_grad():
        reference = inputs.reference(model)
        motion = inputs.motion(model, reference)
        latents = inputs.latents(24)
        predicted = [
            model.denoiser(
                latents,
                torch.tensor([500.0]),
                model.conditions(reference, replace(drive, motion=told)),
            )
            for drive in [inputs.drive(motion)]
            for told in (motion, without_frame(motion, 0), without_frame(motion, 11))
        ]
    assert {len(feature[0]) for feature in motion.under("motion").values()} == {12}
    assert torch.isfinite(predicted[0]).all()
    assert all(not torch.allclose(predicted[0], other, atol=1e-4) for other in predicted[1:])


def without_frame(motion: Encoded, frame: int) -> Encoded:
    """Blot out one motion frame, the oldest or the newest."""
    features = {path: feature.clone() for path, feature in motion.values.items()}
    for feature in features.values():
        feature[:, frame] = 0
    return Encoded(features)


def test_a_confidence_embedding_is_a_vector_per_hand_times_its_score() -> None:
    embedding = ConfidenceEmbedding(5, ops=TORCH_OPS)
    scores = torch.tensor([[0.3, 0.9], [0.0, 1.0], [0.0, 0.0]])
    assert not embedding(scores).any(), "it starts as nothing"
    left, right = torch.randn(5), torch.randn(5)
    with torch.no_grad():
        embedding.vectors.weight.copy_(torch.stack([left, right], dim=1))
    for number, (a, b) in enumerate(scores.tolist()):
        assert torch.allclose(embedding(scores)[number, :, 0, 0], a * left + b * right, atol=1e-6)


def test_wanted_confidence_is_high_where_a_hand_is_and_nothing_elsewhere() -> None:
    shown = np.array([[True, False], [True, True]])
    size = TrackSize(system="small-hands", frames=2, height=32, width=24)
    found = HandConfidence(high=(0.9, 0.8)).of_track({CONFIDENCE: 0.5 * shown}, size)["confidence"]
    np.testing.assert_allclose(found, [[0.45, 0.0], [0.45, 0.4]], rtol=1e-6)
    assert CONFIDENCE not in cyberhost.tiny().asks_of_track, "a system that is not told"


def test_each_hands_confidence_reaches_its_frame_alone(
    hand_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    model = build(hand_spec)
    batch = BatchMaker(make_store(hand_spec), hand_spec, ALWAYS, frames=3, seed=0)[0]
    reference = model.read(batch.portrait)

    def map_of(confidence: torch.Tensor) -> torch.Tensor:
        told = replace(batch, drive={**batch.drive, "confidence": confidence})
        return model.conditions(reference, told.driven(NOTHING)).map_NCHW

    plain = batch.drive["confidence"]
    raised = plain.clone()
    raised[0, 1, 0] += 0.25
    change = map_of(raised) - map_of(plain)
    assert not change[[0, 2]].any()
    vector = model.confidence_embedding.vectors.weight[:, 0]
    assert torch.allclose(change[1], 0.25 * vector[:, None, None].expand_as(change[1]), atol=1e-5)


@pytest.fixture
def video(hand_spec: SystemSpec, make_video: Callable) -> PreparedVideo:
    return make_video(hand_spec)


def test_motion_maps_hold_rendered_hands_and_then_limbs(video: PreparedVideo) -> None:
    maps = draw_motion_maps(video.hands[:4], video.pose[:4])
    assert maps.shape == (4, 6, 32, 24)
    assert torch.equal(maps[:, :3], draw_hand_maps(video.hands[:4], height=32, width=24))
    assert torch.equal(maps[:, 3:], draw_keypoint_maps(video.pose[:4]))


def test_maps_drawn_on_demand_are_those_drawn_at_once_and_the_last_is_held(video: PreparedVideo) -> None:
    whole = draw_motion_maps(video.hands, video.pose)
    track = Track(
        frames=24, values={"audio": torch.zeros(24, 5, 6), "maps": MotionMaps(video.hands, video.pose)}
    )
    drive = track.of(range(20, 30))
    assert torch.equal(drive["maps"][0, :4], whole[20:])
    assert torch.equal(drive["maps"][0, 4:], whole[-1:].expand(6, -1, -1, -1))


def test_training_maps_blur_limbs_in_time_but_never_hands(
    hand_spec: SystemSpec, video: PreparedVideo
) -> None:
    span = slice(5, 9)
    clip = Clip(video=video, span=span, choice=0)
    (drawn,) = hand_spec.listed(DrawnMaps)

    def maps_of(settings: MapTraining) -> torch.Tensor:
        return drawn.drive_of(clip, np.random.default_rng(0), (settings,))["maps"]

    maps = maps_of(MapTraining(median_frames=9))
    assert torch.equal(maps[:, :3], draw_hand_maps(video.hands[span], height=32, width=24))
    assert torch.equal(maps[:, 3:], draw_keypoint_maps(median_filtered(video.pose, frames=9)[span]))
    assert not torch.equal(maps[:, 3:], draw_keypoint_maps(video.pose[span]))
    left_out = maps_of(MapTraining(drop_keypoints=1.0))
    assert torch.equal(left_out[:, :3], maps[:, :3])
    assert not left_out[:, 3:].any()


def test_one_step_from_a_perfect_prediction_is_the_clean_clip(
    hand_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    """What the discriminator of the pose loss is shown, where the model answers with the target itself."""
    shown: list[torch.Tensor] = []
    discriminator = small_discriminator()
    discriminator.register_forward_pre_hook(lambda _, given: shown.append(given[0]))
    pose = PosePresence()
    batch = BatchMaker(make_store(hand_spec), hand_spec, ALWAYS, frames=3, seed=0, losses=(pose,))[0]
    answer = TrainingModule(build(hand_spec), ()).answer(batch)
    pose.build(hand_spec, {DISCRIMINATOR: discriminator})(replace(answer, predicted_NCHW=answer.target_NCHW))
    assert torch.allclose(shown[0], batch.latents.flatten(0, 1), atol=1e-4)


def small_discriminator() -> PoseDiscriminator:
    config = PoseDiscriminatorConfig(latent_channels=4, widths=(8, 16), norm_groups=4)
    return PoseDiscriminator(config).requires_grad_(False)


def test_the_video_stage_moves_all_but_the_reference_net_and_the_discriminator(
    hand_spec: SystemSpec, make_store: Callable, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = SystemModel(hand_spec)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    stage = StageConfig(
        name="video",
        frames=3,
        steps=2,
        learning_rate=1e-2,
        warmup_steps=0,
        precision="no",
        workers=0,
        sampling=ALWAYS,
        losses=(*LOSSES, PosePresence()),
        frozen=("reference_net",),
    )
    networks = {DISCRIMINATOR: small_discriminator()}
    trainer = stage_trainer(model, stage, make_store(hand_spec), out=tmp_path, networks=networks)
    seen: list[dict[str, float]] = []
    trainer.run(report=lambda _, losses: seen.append(losses))
    after = trainer.module.model.state_dict()
    moved = {key.split(".", 1)[0] for key in before if not torch.equal(before[key], after[key])}
    assert moved == {"denoiser", "movement_encoder", "audio_projection", "confidence_embedding"}
    assert all(losses["pose"] > 0 for losses in seen)


def test_the_pose_loss_alone_pulls_on_the_denoiser(
    hand_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    losses = (*LOSSES, PosePresence())
    discriminator, model = small_discriminator(), build(hand_spec).requires_grad_(True)
    module = TrainingModule(model, losses, networks={DISCRIMINATOR: discriminator})
    batch = BatchMaker(make_store(hand_spec), hand_spec, ALWAYS, frames=3, seed=0, losses=losses)[0]
    module(batch)["pose"].backward()
    assert model.denoiser.conv_out.weight.grad is not None
    assert model.denoiser.conv_out.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in discriminator.parameters())


def test_a_recipe_with_a_pose_loss_asks_for_its_discriminator(make_store: Callable, tmp_path: Path) -> None:
    recipe = read_recipe("emo2-tiny")
    files = RunFiles(store=make_store(recipe.system).folder, out=tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"train pose-discriminator' and give it with --discriminator"):
        train_stage(recipe, recipe.video, files, show=lambda *_: None)
