"""A system that the product does not have, from this one file: nothing else is edited but the table of names.

UniVDM-like (PAHA section 4.1.1): the reference stacked along time before the noisy frames, no ReferenceNet,
plain guidance, a loss of its own. It trains two steps, is packed, loaded, and samples in the core and in the
host, to the same latents.

The host's Python runs this file too (see inside.py) and has no pytest: fixtures come by their names alone.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

import numpy as np
import torch

if "inside" in sys.modules:
    from inside import core, euler_steps, picture_and_voice, speech_features  # type: ignore[import-not-found]
else:
    from .inside import core, euler_steps, picture_and_voice, speech_features

bundled = core("bundled")
conditioner, values = core("conditioners.conditioner"), core("conditioners.values")
sound, drawn_maps, unet = core("conditioners.sound"), core("conditioners.drawn_maps"), core("backbone.unet")
transformer, motion = core("backbone.transformer"), core("backbone.motion_module")
map_encoder, spec, schedule = core("backbone.map_encoder"), core("systems.spec"), core("diffusion.schedule")
named, plain = core("systems.named"), core("guidance.plain")

SEED, STEPS = 3, 4


class StackedReference(conditioner.Conditioner):
    """The portrait's latents as a clean frame before every clip; a clip without them gets an empty one."""

    kind: Literal["test_stacked_reference"] = "test_stacked_reference"

    def build(self, parts: Any, place: Any) -> Any:  # noqa: ARG002 - it has no weights
        return StackedReader()


class StackedReader(conditioner.Reader):
    def join(self, conditions: Any, *, reference: Any, drive: Any, missing: Any) -> Any:
        portrait_BCHW = reference["latents"].expand(drive.clips, -1, -1, -1)
        rows = values.having(missing, values.REFERENCE)
        seen = values.choose(rows, portrait_BCHW, torch.zeros_like(portrait_BCHW))
        return conditions.opened_by(seen[:, None])


def fourth() -> Any:
    block = transformer.SpatialTransformerConfig(
        heads=2,
        layers=(
            transformer.SelfAttentionConfig(),
            transformer.InlineAudioConfig(token_dim=24),
            transformer.FeedForwardConfig(),
        ),
    )
    return spec.SystemSpec(
        name="fourth",
        unet=unet.UNetConfig(
            latent_channels=16,
            channels=(16, 32),
            attention_stages=(True, True),
            resnets_per_stage=1,
            norm_groups=4,
            layers=(block, motion.MotionModuleConfig(heads=2, first_position=1)),
        ),
        conditioners=(
            drawn_maps.DrawnMaps(encoder=map_encoder.MapEncoderConfig(patch=4, widths=(8, 8))),
            sound.Sound(feature_dim=384, token_dim=24),
            StackedReference(),
        ),
        guidance=plain.PlainGuidance(scale=2.0),
        schedule=schedule.ScheduleSpec(
            prediction="v_prediction", beta_schedule="squaredcos_cap_v2", zero_snr=True, steps=STEPS
        ),
        long_video=spec.LongVideoSpec(frames=8, kept=8),
        height=128,
        width=96,
    )


@cache
def trained() -> Path:
    """Train two steps on noise, with a loss of its own, and pack."""
    parts, recipes, runs = core("checkpoints.parts"), core("training.stage"), core("training.runs")
    folder = Path(mkdtemp())
    stage = recipes.StageConfig(
        name="video",
        frames=8,
        steps=2,
        learning_rate=1e-3,
        precision="no",
        workers=0,
        losses=(_smoothness()(),),
    )
    torch.manual_seed(0)
    model = core("systems.model").SystemModel(fourth())
    for value in model.parameters():  # what starts at zero would stay silent for two steps
        if value.ndim > 1 and not value.any():
            torch.nn.init.normal_(value, std=0.2 * value[0].numel() ** -0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = runs.stage_trainer(model, stage, _store(folder / "store"), out=folder)
    averaged = runs.train_logged(trainer, show=lambda _step, _values: None)
    after = trainer.module.model.state_dict()
    assert any(not torch.equal(after[name], value) for name, value in before.items()), (
        "two steps teach something"
    )
    packed = folder / "fourth.safetensors"
    parts.pack_checkpoint(
        packed,
        spec=fourth(),
        weights=averaged,
        vae=bundled.CHECKPOINT,
        speech=bundled.CHECKPOINT,
        licence="Apache-2.0",
        training={},
    )
    return packed


def _smoothness() -> type:
    """A loss that asks for what changes from frame to frame; its target comes from the clip."""
    loss = core("training.losses.loss")

    class Smoothness(loss.Loss):
        kind: Literal["test_smoothness"] = "test_smoothness"

        def targets(self, clip: Any, spec: Any) -> Any:  # noqa: ARG002
            return {
                "steps": torch.from_numpy(
                    np.diff(clip.video.latents_FCHW[clip.span].astype(np.float32), axis=0)
                )
            }

        def build(self, spec: Any, networks: Any) -> Any:  # noqa: ARG002
            return SmoothnessModule()

    class SmoothnessModule(loss.LossModule):
        def forward(self, answer: Any) -> dict[str, torch.Tensor]:
            batch = answer.batch
            noised = answer.schedule.add_noise(batch.latents, batch.noise, batch.timestep)
            predicted = answer.predicted_NCHW.unflatten(0, batch.latents.shape[:2])
            x0 = answer.schedule.to_x0(predicted, noised, batch.timestep)
            return {"smoothness": (x0.diff(dim=1).flatten(0, 1) - batch.targets["steps"]).pow(2).mean()}

    return Smoothness


def _store(folder: Path) -> Any:
    """Two prepared videos of noise."""
    store, types = core("data.store"), core("types")
    absent = core("hands.mixing").absent
    rng, frames = np.random.default_rng(0), 16
    for name in ("a", "b"):
        points = rng.uniform(0.2, 0.8, (frames, types.PACKED_POINTS, 3)) * (96, 128, 1)
        points[..., 2] = 1
        video = store.PreparedVideo(
            latents_FCHW=rng.standard_normal((frames, 16, 16, 12)).astype(np.float16),
            pose=types.Pose.from_packed(points.astype(np.float32), height=128, width=96),
            hands=absent(frames, fps=25.0, source="noise"),
            hand_confidence_FH=np.zeros((frames, 2), dtype=np.float32),
            audio_FD=rng.standard_normal((frames, 384)).astype(np.float16),
            clarity_F4=np.zeros((frames, 4), dtype=np.float32),
            picture_db=30.0,
            reference_R=np.array([0]),
            hand_crops_RHCYX=np.zeros((1, 2, 3, 128, 128), dtype=np.uint8),
            face_vectors_RD=np.zeros((1, 512), dtype=np.float32),
        )
        store.write_video(folder, name, video)
    bucket = store.Bucket(height=128, width=96, ids=("a", "b"))
    store.write_index(folder, store.StoreIndex(fps=25.0, buckets=(bucket,)))
    return store.PreparedVideos(folder)


def sampled_in_core(path: Path) -> torch.Tensor:
    pipeline = core("pipeline.talker")
    picture_YXC, voice = picture_and_voice()
    talker = pipeline.Talker.load(path)
    portrait, options = talker.portrait(picture_YXC), pipeline.GenerateOptions(seed=SEED, sampler="euler")
    track = talker.track(voice, portrait, options)
    pieces = talker.latents(talker.reference(portrait), track, options, on_step=lambda _done, _steps: None)
    return torch.cat(list(pieces))


def sampled_in_host(path: str, out: str) -> dict[str, float]:
    """In the host: the pack's own loader, reference, conditions and sampler, with native noise and sigmas."""
    from pack.nodes.bridge.loading import load
    from pack.nodes.bridge.long_video import sample_track
    from pack.nodes.bridge.passes import make_passes
    from pack.nodes.bridge.reference import read_reference
    from safetensors.torch import save_file

    asks, maps = core("conditioners.asks"), core("controls.movement_map")
    loaded = load(Path(path))
    picture_YXC, _ = picture_and_voice()
    heard = speech_features(loaded.audio_encoder)
    pose = core("perception.pose").PoseDetector(bundled.POSE_NETWORK).detect(picture_YXC, padding=1.0)
    box = maps.fixed_box(pose, width_frac=0.2, height_frac=0.1)
    told = {asks.SOUND: heard, asks.MAP: maps.draw_movement_map(box, height=128, width=96)[None]}
    bank, _ = read_reference(loaded.parts, loaded.vae, picture_YXC, known={})
    passes, _, _ = make_passes(loaded.parts, bank, told, connected=told)
    sampling = euler_steps(loaded.model, seed=SEED, steps=STEPS, reference_scale=2.0, audio_scale=2.0)
    full, reference, null = passes
    latents = sample_track(loaded.model, full=full, reference=reference, null=null, sampling=sampling)
    save_file({"latents": latents.contiguous()}, out)
    return {"std": float(latents.std())}


def test_it_is_built_of_what_it_lists_alone() -> None:
    model = core("systems.model").on_meta(fourth())
    parts = {name.split(".")[0] for name, _ in model.named_parameters()}
    assert parts == {"denoiser", "movement_encoder", "audio_projection"}


def test_the_table_of_names_is_all_that_commands_ask(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(named.SYSTEMS, "fourth", fourth)
    assert core("cli.main").main(["parameters", "fourth"]) == 0
    assert "movement_encoder" in capsys.readouterr().out


def test_it_survives_json_and_training_and_packing() -> None:
    stored = core("checkpoints.file").open_checkpoint(trained())
    assert stored.spec == fourth()
    assert stored.spec.past_frames == 0


def test_it_samples_in_the_core_and_looks_at_its_reference() -> None:
    latents = sampled_in_core(trained())
    assert latents.shape == (12, 16, 16, 12)
    assert torch.isfinite(latents).all()
    pipeline = core("pipeline.talker")
    talker = pipeline.Talker.load(trained())
    picture_YXC, voice = picture_and_voice()
    portrait, options = talker.portrait(picture_YXC), pipeline.GenerateOptions(seed=SEED, sampler="euler")
    track, seen = talker.track(voice, portrait, options), talker.reference(portrait)
    other = replace(seen, values={**seen.values, "latents": seen["latents"].flip(-1)})
    moved = torch.cat(list(talker.latents(other, track, options, on_step=lambda _done, _steps: None)))
    assert not torch.allclose(moved, latents, atol=1e-3), "another portrait gives another video"


def test_the_host_samples_the_same(inside: Callable[..., Any], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    out = tmp_path / "latents.safetensors"
    inside(sampled_in_host, trained(), out)
    ours, expected = load_file(out)["latents"], sampled_in_core(trained())
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(ours, expected, atol=0.02, rtol=0)
