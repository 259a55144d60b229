"""Stage 1's training: the store, the spans, the loss, resuming, and that a clip is learned by heart."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cyberhost_core.checkpoints.gestures import load_gestures, pack_gestures, save_gestures
from cyberhost_core.data.gesture_store import (
    GestureClip,
    GestureClips,
    GestureIndex,
    write_gesture_clip,
    write_gesture_index,
)
from cyberhost_core.data.store import StoreError
from cyberhost_core.errors import CheckpointError, ConfigError
from cyberhost_core.gesture.forms import FORMS, FormName
from cyberhost_core.gesture.model import GestureModel, GestureModelConfig, wrist_amplitude
from cyberhost_core.gesture.sampling import generate_motion
from cyberhost_core.gesture.transformer import GestureConfig
from cyberhost_core.hands.parameters import HandParameters
from cyberhost_core.training.gestures.batches import GestureBatch, GestureBatchMaker, GestureSampling
from cyberhost_core.training.gestures.learner import GestureLearner, GestureLoss
from cyberhost_core.training.gestures.recipes import GESTURE_RECIPES, GestureRecipe, paper_gestures
from cyberhost_core.training.gestures.run import gesture_recipe, gesture_trainer
from cyberhost_core.training.loop import LoopConfig

AUDIO_DIM, FRAMES, BEFORE = 5, 24, 4
TELL_ALL = GestureSampling(
    spans=4, drop_audio=0, drop_amplitude=0, drop_offset=0, offset_still=0, before_noise=0
)


def waving(frames: int, *, seed: int = 0, valid_FH: np.ndarray | None = None) -> HandParameters:
    """Hands that swing on smooth paths."""
    rng = np.random.default_rng(seed)
    rate, phase = rng.uniform(0.1, 0.3, (2, 16, 3)), rng.uniform(0, 6, (2, 16, 3))
    time_F = np.arange(frames)[:, None, None, None]
    rotations = 0.4 * np.sin(rate * time_F + phase)
    places = 0.5 + 0.1 * np.sin(rate[:, 0] * time_F[..., 0] + phase[:, 0])
    return HandParameters.from_axis_angles(
        rotations,
        places,
        fps=25.0,
        source="test",
        valid_FH=valid_FH,
        offset_FD=np.tile(np.arange(8) / 8 + rng.random(), (frames, 1)),
    )


def clip(
    frames: int = 60, *, seed: int = 0, style: str = "speaking", audio_dim: int = AUDIO_DIM
) -> GestureClip:
    audio_FD = np.random.default_rng(seed).standard_normal((frames, audio_dim)).astype(np.float16)
    return GestureClip(parameters=waving(frames, seed=seed), audio_FD=audio_FD, style=style)


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., GestureClips]:
    def store(*clips: GestureClip, name: str = "store") -> GestureClips:
        folder = tmp_path / name
        names = tuple(f"{number:03d}" for number in range(len(clips)))
        for name_, one in zip(names, clips, strict=True):
            write_gesture_clip(folder, name_, one)
        write_gesture_index(folder, GestureIndex(fps=25.0, audio_dim=AUDIO_DIM, ids=names))
        return GestureClips(folder)

    return store


def recipe(*, form: FormName = "hands", **loop: float) -> GestureRecipe:
    transformer = GestureConfig(
        vector=FORMS[form].numbers,
        width=32,
        blocks=2,
        heads=2,
        frames=FRAMES,
        frames_before=BEFORE,
        audio_dim=AUDIO_DIM,
        offset_dim=8,
    )
    settings = {"steps": 4, "learning_rate": 1e-3, "warmup_steps": 2, "ema_decay": 0.9, "precision": "no"}
    settings |= {"workers": 0}
    return GestureRecipe(
        model=GestureModelConfig(transformer=transformer, form=form),
        loop=LoopConfig.model_validate(settings | loop),
        sampling=TELL_ALL,
    )


def maker(clips: GestureClips, *, sampling: GestureSampling = TELL_ALL, seed: int = 0, rank: int = 0):
    model = GestureModel(recipe().model)
    return GestureBatchMaker(clips, model, sampling, seed=seed, rank=rank)


def test_a_clip_comes_back_from_the_store(store: Callable) -> None:
    written = clip(style="dance")
    (found,) = store(written)
    assert found.style == "dance"
    assert np.array_equal(found.audio_FD, written.audio_FD)
    for name in ("vectors_FD", "valid_FH", "sizes_frac_FH", "offset_FD", "fps"):
        assert np.array_equal(getattr(found.parameters, name), getattr(written.parameters, name)), name


def test_what_is_wrong_with_a_store_is_said(store: Callable, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no gesture clips \(no index.json\); make them with"):
        GestureClips(tmp_path)
    with pytest.raises(StoreError, match="60 frames of motion and speech features of 59"):
        write_gesture_clip(tmp_path, "x", GestureClip(parameters=waving(60), audio_FD=np.zeros((59, 5))))
    other = store(clip(audio_dim=7))
    with pytest.raises(StoreError, match=r"features of shape \[60, 7\], but 5 per frame were expected"):
        other[0]
    path = other.folder / "clips" / "000.safetensors"
    save_file(load_file(path), path)  # without what its metadata said
    with pytest.raises(StoreError, match=r"does not say its frame rate and style.*; prepare the data again"):
        other[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"000\.safetensors cannot be read .*; prepare the data again"):
        other[0]
    with pytest.raises(StoreError, match="lists no clips"):
        store(name="empty")


def test_batches_depend_on_seed_step_and_rank_alone(store: Callable) -> None:
    clips = store(*(clip(seed=seed) for seed in range(3)))
    first = maker(clips)[5]
    same, *others = (
        maker(clips)[5], maker(clips)[6], maker(clips, seed=1)[5], maker(clips, rank=1)[5]
    )  # fmt: skip
    assert torch.equal(first.motion, same.motion)
    assert torch.equal(first.noise, same.noise)
    for other in others:
        assert not torch.equal(first.noise, other.noise)


def test_a_span_is_a_part_of_its_clip_with_its_own_sound_and_the_frames_before(store: Callable) -> None:
    whole = clip(frames=200)
    clips = store(whole)
    batch = maker(clips, sampling=TELL_ALL.derive(from_start=0.0))[0]
    vectors = torch.from_numpy(whole.parameters.vectors_FD)
    for row in range(4):
        led = torch.cat([batch.before[row], batch.motion[row]])
        (start,) = (
            start
            for start in range(len(vectors) - len(led) + 1)
            if torch.allclose(vectors[start : start + len(led)], led, atol=1e-6)
        )
        span = slice(start + BEFORE, start + BEFORE + FRAMES)
        assert np.allclose(batch.audio[row], whole.audio_FD[span].astype(np.float32))
        assert np.allclose(batch.offset[row], whole.parameters.offset_FD[span])
        assert np.allclose(batch.amplitude[row], wrist_amplitude(whole.parameters[span]), atol=1e-6)
        assert bool(batch.mask[row].all())


def test_a_short_clip_is_padded_and_the_mask_says_so(store: Callable) -> None:
    short = clip(frames=10)
    clips = store(short)
    start = maker(clips, sampling=TELL_ALL.derive(from_start=1.0))[0]
    assert start.before.shape == (4, 0, 134)
    assert torch.equal(start.mask[0], (torch.arange(FRAMES) < 10).float()[:, None].expand(-1, 2))
    assert np.allclose(start.motion[0, :10], short.parameters.vectors_FD)
    assert not start.motion[0, 10:].any()
    after = maker(clips, sampling=TELL_ALL.derive(from_start=0.0))[0]
    assert np.allclose(after.before[0], short.parameters.vectors_FD[:BEFORE])
    assert int(after.mask[0, :, 0].sum()) == 10 - BEFORE
    (tiny,) = (maker(store(clip(frames=2), name="tiny"), sampling=TELL_ALL.derive(from_start=0.0))[0],)
    assert torch.equal(tiny.before_mask[0, :, 0], torch.tensor([0.0, 0.0, 0.0, 1.0]))


def test_what_is_dropped_is_not_told(store: Callable) -> None:
    nothing = GestureSampling(spans=2, drop_audio=1, drop_amplitude=1, drop_offset=1)
    batch = maker(store(clip()), sampling=nothing)[0]
    assert not batch.audio.any()
    assert not batch.offset.any()
    assert bool(batch.amplitude.isnan().all())
    portrait = maker(store(clip()), sampling=TELL_ALL.derive(offset_still=1.0))[0].offset
    assert torch.equal(portrait, portrait[:, :1].expand_as(portrait))


def test_a_style_that_the_model_does_not_know_is_named(store: Callable) -> None:
    with pytest.raises(ConfigError, match="style 'opera', but the model knows speaking, singing, dance"):
        maker(store(clip(style="opera")))[0]


def test_the_loss_is_the_weighted_error_over_hands_that_are_there(store: Callable) -> None:
    """A new network answers zero, so that the error is the motion itself: added up here number by number."""
    model = GestureModel(recipe().model)
    learner = GestureLearner(model, GestureLoss(leading_weight=3.0, velocity_weight=2.0))
    batch = random_batch()
    found = learner(batch)
    leading = {*range(4), 64, 65, 66, *range(67, 71), 131, 132, 133}
    assert set(np.flatnonzero(model.form.leading_D)) == leading
    weights = [3.0 if number in leading else 1.0 for number in range(134)]
    mean_weight = sum(weights) / 134
    motion = velocity = 0.0
    count = steps = 0
    truth = torch.cat([batch.before, batch.motion], dim=1).double().numpy()
    mask = torch.cat([batch.before_mask, batch.mask], dim=1).numpy()
    answered = np.concatenate([batch.before.double().numpy(), np.zeros(batch.motion.shape)], axis=1)
    for row in range(2):
        for frame in range(BEFORE, BEFORE + FRAMES):
            for number in range(134):
                hand, weight = number // 67, weights[number] / mean_weight
                error = truth[row, frame, number] - answered[row, frame, number]
                earlier = truth[row, frame - 1, number] - answered[row, frame - 1, number]
                if mask[row, frame, hand]:
                    motion, count = motion + weight * error**2, count + 1
                    if mask[row, frame - 1, hand]:
                        velocity, steps = velocity + weight * (error - earlier) ** 2, steps + 1
    assert found["motion"].item() == pytest.approx(motion / count, rel=1e-4)
    assert found["velocity"].item() == pytest.approx(2.0 * velocity / steps, rel=1e-4)


def random_batch() -> GestureBatch:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(2, *shape, generator=generator)

    return GestureBatch(
        motion=normal(FRAMES, 134),
        noise=normal(FRAMES, 134),
        before=normal(BEFORE, 134),
        audio=normal(FRAMES, AUDIO_DIM),
        mask=(normal(FRAMES, 2) > -0.5).float(),
        before_mask=(normal(BEFORE, 2) > -0.5).float(),
        style=torch.tensor([0, 1]),
        amplitude=torch.full((2, 2), 0.1),
        offset=normal(FRAMES, 8),
        timestep=torch.tensor([10, 900]),
    )


def test_a_run_that_was_stopped_and_resumed_ends_in_the_same_bits(store: Callable, tmp_path: Path) -> None:
    clips = store(*(clip(seed=seed) for seed in range(3)))

    def trainer(out: str):
        return gesture_trainer(recipe(), clips, out=tmp_path / out)

    trainer("straight").run()
    trainer("resumed").run(until=2)
    resumed = trainer("resumed")
    resumed.run()
    expected, found = (load_file(tmp_path / out / "run.safetensors") for out in ("straight", "resumed"))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    other = gesture_trainer(recipe(learning_rate=2e-3), clips, out=tmp_path / "resumed")
    with pytest.raises(CheckpointError, match=r"another recipe\.loop\.learning_rate"):
        other.run()


def test_a_clip_learned_by_heart_is_generated_again(store: Callable, tmp_path: Path) -> None:
    """The sampled hands are where the clip's are, and not where they are on average."""
    whole = clip(frames=FRAMES)
    plan = recipe(steps=150, learning_rate=8e-3, warmup_steps=20, decay_fraction=0.5)
    plan = plan.derive(sampling=TELL_ALL.derive(from_start=1.0))
    model = gesture_trainer(plan, store(whole), out=tmp_path / "run").run().eval()
    left, right = wrist_amplitude(whole.parameters)
    made = generate_motion(
        model,
        audio_FD=whole.audio_FD.astype(np.float32),
        frames=FRAMES,
        seed=3,
        amplitudes=(left, right),
        offset_FD=whole.parameters.offset_FD,
        steps=10,
    )
    true = whole.parameters.translations()
    error = np.abs(made.translations() - true)[..., :2].mean()
    assert error < 0.25 * np.abs(true - true.mean(axis=0))[..., :2].mean()


def test_statistics_are_those_of_the_clips(store: Callable, tmp_path: Path) -> None:
    clips = store(*(clip(seed=seed, frames=30 + seed) for seed in range(5)))
    model = gesture_trainer(recipe(), clips, out=tmp_path / "run").module.model
    all_FD = np.concatenate([one.parameters.vectors_FD for one in clips])
    np.testing.assert_allclose(model.mean_D, all_FD.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(model.deviation_D, np.maximum(all_FD.std(axis=0), 0.02), atol=1e-5)
    amplitudes = np.median([wrist_amplitude(one.parameters[:FRAMES]) for one in clips], axis=0)
    np.testing.assert_allclose(model.typical_amplitude_H, amplitudes, atol=1e-6)


def test_a_model_comes_back_from_its_file_and_from_eight_bits_nearly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = GestureModel(recipe().model)
    model.typical_amplitude_H.copy_(torch.tensor([0.06, 0.07]))
    path, packed = tmp_path / "model.safetensors", tmp_path / "packed.safetensors"
    save_gestures(path, model, training={"clips": 3})
    found = load_gestures(path)
    assert found.config == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
    pack_gestures(path, packed)
    assert packed.stat().st_size < 0.4 * path.stat().st_size
    eight = load_gestures(packed)
    assert torch.equal(eight.typical_amplitude_H, model.typical_amplitude_H)
    for name, value in model.state_dict().items():
        spread = float((eight.state_dict()[name] - value).abs().max())
        assert spread <= float(value.abs().max()) / 127 + 1e-3, name


def test_files_that_hold_no_gesture_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match=r"There is no gesture model at .*; check the path, or"):
        load_gestures(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"holds no gesture model .*'none'.*'cyberhost-gestures-1'"):
        load_gestures(path)
    save_gestures(path, GestureModel(recipe().model), training={})
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(CheckpointError, match=r"cannot be read as safetensors .*; it is truncated"):
        load_gestures(path)
    metadata = {"format": "cyberhost-gestures-1", "config": recipe().model.to_json(), "training": "{}"}
    save_file({"mean_D": torch.zeros(134)}, path, metadata)
    with pytest.raises(CheckpointError, match="do not fit the file's own configuration"):
        load_gestures(path)


def test_recipes_fit_the_store_and_the_paper(store: Callable) -> None:
    paper = paper_gestures(audio_dim=10752, form="hands").model.transformer
    assert (paper.blocks, paper.width, paper.frames, paper.frames_before) == (24, 512, 300, 12)
    assert (paper.vector, paper.audio_dim) == (134, 10752)
    tiny = gesture_recipe("tiny", store(clip()), form="arms")
    assert (tiny.model.transformer.audio_dim, tiny.model.transformer.vector) == (AUDIO_DIM, 146)
    assert json.loads(tiny.to_json())["model"]["form"] == "arms"
    with pytest.raises(ConfigError, match="no gesture recipe 'huge'; choose one of: tiny, emo2"):
        gesture_recipe("huge", store(clip()), form="hands")


def test_the_papers_run_is_that_of_section_4_1() -> None:
    recipe = GESTURE_RECIPES["emo2"](audio_dim=10752, form="hands")
    sizes = recipe.model.transformer
    assert (sizes.blocks, sizes.width, sizes.vector) == (24, 512, 134)
    assert (sizes.frames, sizes.frames_before) == (300, 12)
    assert (recipe.sampling.spans, recipe.loop.steps) == (8, 400_000), "batch size of 8 for 400k steps"
