"""Stage 1's training: the store, the spans, the loss, resuming, and that a clip is learned by heart."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

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
from cyberhost_core.diffusion.ddim import ddim
from cyberhost_core.diffusion.schedule import NoiseSchedule
from cyberhost_core.errors import CheckpointError, ConfigError, PoseError
from cyberhost_core.gesture.forms import FORMS, FormName
from cyberhost_core.gesture.model import GestureModel, GestureModelConfig, Learnt, wrist_amplitude
from cyberhost_core.gesture.sampling import generate_motion
from cyberhost_core.gesture.transformer import GestureConfig
from cyberhost_core.hands.parameters import LIMB_POINTS, HandParameters
from cyberhost_core.training.gestures.batches import GestureBatch, GestureBatchMaker, GestureSampling
from cyberhost_core.training.gestures.learner import GestureLearner, GestureLoss
from cyberhost_core.training.gestures.recipes import GestureRecipe, Prediction, read_gesture_recipe
from cyberhost_core.training.gestures.run import gesture_trainer, will_have_learnt
from cyberhost_core.training.loop import LoopConfig

AUDIO_DIM, FRAMES, BEFORE = 5, 24, 4
TELL_ALL = GestureSampling(
    spans=4, drop_audio=0, drop_amplitude=0, drop_offset=0, offset_still=0, before_noise=0, hide_hand=0
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
    assert tiny.before_known[0].all(dim=1).tolist() == [False, False, False, True]


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
    known = torch.cat([batch.before_known, batch.known], dim=1).numpy()
    answered = np.concatenate([batch.before.double().numpy(), np.zeros(batch.motion.shape)], axis=1)
    for row in range(2):
        for frame in range(BEFORE, BEFORE + FRAMES):
            for number in range(134):
                weight = weights[number] / mean_weight
                error = truth[row, frame, number] - answered[row, frame, number]
                earlier = truth[row, frame - 1, number] - answered[row, frame - 1, number]
                if known[row, frame, number]:
                    motion, count = motion + weight * error**2, count + 1
                    if known[row, frame - 1, number]:
                        velocity, steps = velocity + weight * (error - earlier) ** 2, steps + 1
    assert found["motion"].item() == pytest.approx(motion / count, rel=1e-4)
    assert found["velocity"].item() == pytest.approx(2.0 * velocity / steps, rel=1e-4)


def random_batch() -> GestureBatch:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(2, *shape, generator=generator)

    mask, before_mask = (normal(frames, 2) > -0.5 for frames in (FRAMES, BEFORE))
    return GestureBatch(
        motion=normal(FRAMES, 134),
        noise=normal(FRAMES, 134),
        before=normal(BEFORE, 134),
        audio=normal(FRAMES, AUDIO_DIM),
        mask=mask.float(),
        known=mask.repeat_interleave(67, dim=-1),
        before_known=before_mask.repeat_interleave(67, dim=-1),
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


def knowing(model: GestureModel, motion_FD: torch.Tensor) -> GestureModel:
    """Let a model know a motion: in whatever it is asked for, its network answers the truth."""
    schedule = NoiseSchedule(model.config.schedule)

    def answer(noisy_BFD: torch.Tensor, timestep_B: torch.Tensor, **_: object) -> torch.Tensor:
        at_B = timestep_B.long()
        noise = schedule.to_noise(motion_FD.expand_as(noisy_BFD), noisy_BFD, at_B)
        return schedule.target(motion_FD.expand_as(noisy_BFD), noise, at_B)

    model.transformer.forward = answer
    return model


def predicted(prediction: Prediction, *, form: FormName = "hands") -> GestureRecipe:
    """A small recipe, wide enough for the noise."""
    plan = recipe(form=form)
    sizes = plan.model.transformer.derive(width=176, blocks=1, heads=4)
    read = read_gesture_recipe("emo2", audio_dim=AUDIO_DIM, form=form, prediction=prediction)
    model = plan.model.derive(transformer=sizes, schedule=read.model.schedule)
    return plan.derive(model=model, loss=read.loss)


def test_both_predictions_say_the_same_of_a_motion_that_the_network_knows() -> None:
    """Along the whole way, on one schedule; and each on its own arrives at the motion."""
    motion_FD = torch.from_numpy(clip(frames=FRAMES).parameters.vectors_FD)
    own = {name: predicted(name).model for name in get_args(Prediction)}
    assert {name: config.schedule.prediction for name, config in own.items()} == {
        "sample": "sample", "epsilon": "epsilon"
    }  # fmt: skip
    one = own["epsilon"].schedule
    made = []
    for schedule in (one, one.derive(prediction="sample"), own["sample"].schedule):
        model = knowing(GestureModel(own["sample"].derive(schedule=schedule)), motion_FD)
        made.append(generate_motion(model, audio_FD=np.zeros((FRAMES, AUDIO_DIM)), frames=FRAMES, seed=1))
        np.testing.assert_allclose(made[-1].vectors_FD, motion_FD, atol=1e-3)
    way: dict[str, list[torch.Tensor]] = {"epsilon": [], "sample": []}
    for prediction, seen in way.items():
        schedule = one.derive(prediction=prediction)
        told = knowing(GestureModel(own["sample"].derive(schedule=schedule)), motion_FD).transformer.forward

        def answer(x_FD: torch.Tensor, timestep: int, told: Callable = told, seen: list = seen) -> Any:
            seen.append(x_FD)
            return told(x_FD[None], torch.tensor([float(timestep)]))[0]

        noise = torch.randn(FRAMES, 134, generator=torch.Generator().manual_seed(0))
        ddim(noise, answer, schedule, steps=5, tell=lambda _: None)
    torch.testing.assert_close(torch.stack(way["epsilon"]), torch.stack(way["sample"]), atol=1e-4, rtol=1e-4)


def test_the_papers_loss_is_equation_1_the_plain_error_of_the_noise() -> None:
    plan = predicted("epsilon")
    model, batch = GestureModel(plan.model), random_batch()
    torch.nn.init.normal_(model.transformer.motion_out.weight, std=0.1)
    learner = GestureLearner(model, plan.loss)
    noisy = learner.schedule.add_noise(batch.motion, batch.noise, batch.timestep)
    told = {"audio_BFD": batch.audio, "mask_BFH": batch.mask, "before_BPD": batch.before}
    told |= {"style_B": batch.style, "amplitude_BH": batch.amplitude, "offset_BFD": batch.offset}
    answer = model.transformer(noisy, batch.timestep.float(), **told).detach()
    squares = [
        float((batch.noise[row, frame, number] - answer[row, frame, number]) ** 2)
        for row, frame, number in batch.known.nonzero().tolist()
    ]
    losses = learner(batch)
    assert losses["motion"].item() == pytest.approx(sum(squares) / len(squares), rel=1e-4)
    assert losses["velocity"].item() == 0


@pytest.mark.slow
def test_a_network_that_predicts_noise_learns_a_clip_and_its_file_says_what_it_predicts(
    store: Callable, tmp_path: Path
) -> None:
    """Nobody who knows only that numbers deviate by 1 can tell them from noise better than by sigma^2."""
    whole, plan = clip(frames=FRAMES), predicted("epsilon")
    loop = plan.loop.derive(steps=120, learning_rate=3e-3, warmup_steps=20, decay_fraction=0.5)
    plan = plan.derive(loop=loop, sampling=TELL_ALL.derive(from_start=1.0))
    model = gesture_trainer(plan, store(whole), out=tmp_path / "run").run().eval()
    save_gestures(tmp_path / "noise.safetensors", model, training={})
    model = load_gestures(tmp_path / "noise.safetensors")
    assert model.config.schedule == plan.model.schedule
    schedule, at_B = NoiseSchedule(model.config.schedule), torch.tensor([400])
    motion = model.standardized(whole.parameters.vectors_FD)[None]
    batch = maker(store(whole, name="asked"), sampling=plan.sampling)[0]
    noisy = schedule.add_noise(motion, batch.noise[:1], at_B)
    told = {"audio_BFD": batch.audio, "mask_BFH": batch.mask, "before_BPD": batch.before[:, :0]}
    told |= {"style_B": batch.style, "amplitude_BH": batch.amplitude, "offset_BFD": batch.offset}
    answer = model.transformer(noisy, at_B.float(), **{name: value[:1] for name, value in told.items()})
    error = (schedule.to_x0(answer, noisy, at_B) - motion).square().mean()
    assert error < 0.5 * schedule.sigma[400] ** 2, (error, schedule.sigma[400] ** 2)


def test_a_store_says_what_a_model_will_have_learnt_and_the_file_keeps_it(
    store: Callable, tmp_path: Path
) -> None:
    clips = store(clip(seed=0, style="dance"), clip(seed=1), clip(seed=2, style="dance"))
    plain = read_gesture_recipe("tiny", audio_dim=AUDIO_DIM, form="hands")
    assert plain.model.learnt == Learnt()
    config = will_have_learnt(plain, clips).model
    assert config.learnt == Learnt(styles=("dance", "speaking"), one_hand=True)
    small = recipe().model.derive(learnt=config.learnt)
    save_gestures(tmp_path / "model.safetensors", GestureModel(small), training={})
    found = load_gestures(tmp_path / "model.safetensors")
    assert found.config.learnt == config.learnt
    assert not found.learnt_picture, "its weights start as 0"
    older = json.loads(small.to_json())
    del older["learnt"]
    assert GestureModelConfig.parse(json.dumps(older)).learnt == Learnt(styles=("speaking",), one_hand=False)


def test_a_hand_is_hidden_from_a_share_of_spans_as_if_its_clip_never_showed_it(store: Callable) -> None:
    clips = store(clip(frames=200))
    batch = maker(clips, sampling=TELL_ALL.derive(spans=40, hide_hand=0.5, before_noise=0.3, from_start=0))[0]
    shown_BH = batch.mask.amax(dim=1)
    assert torch.equal(batch.mask, shown_BH[:, None].expand(-1, FRAMES, -1)), "from whole spans"
    one = shown_BH.sum(dim=1) == 1
    assert 8 <= int(one.sum()) <= 32
    assert bool((shown_BH.sum(dim=1) >= 1).all()), "never both"
    assert bool(shown_BH[one].bool().any(dim=0).all()), "either hand"
    hidden_BD = ~shown_BH.bool().repeat_interleave(67, dim=1)
    assert torch.equal(batch.amplitude.isnan(), ~shown_BH.bool())
    for numbers, known in ((batch.motion, batch.known), (batch.before, batch.before_known)):
        hidden = hidden_BD[:, None].expand_as(numbers)
        assert not numbers[hidden].any() and not known[hidden].any()
        assert bool(known[~hidden].all())


def test_clips_that_show_one_hand_alone_count_for_what_they_show(store: Callable, tmp_path: Path) -> None:
    left = np.tile([True, False], (60, 1))
    one = GestureClip(parameters=waving(60, valid_FH=left), audio_FD=clip().audio_FD)
    batch = maker(store(one, name="one"), sampling=TELL_ALL.derive(from_start=1.0))[0]
    assert torch.equal(batch.mask[0], torch.tensor([[1.0, 0.0]]).expand(FRAMES, 2))
    model = gesture_trainer(recipe(), store(one, name="left"), out=tmp_path / "run").module.model
    np.testing.assert_allclose(model.mean_D[:67], one.parameters.vectors_FD[:, :67].mean(axis=0), atol=1e-5)
    assert model.typical_amplitude_H.isnan().tolist() == [False, True]
    none = GestureClip(parameters=waving(60, valid_FH=np.zeros((60, 2), bool)), audio_FD=clip().audio_FD)
    with pytest.raises(ConfigError, match="show a hand in no frame"):
        gesture_trainer(recipe(), store(none, name="none"), out=tmp_path / "other")


def reaching(*, frames: int, seed: int = 0) -> HandParameters:
    """Waving hands whose left elbow circles; the right one is hidden in the second half, knees always."""
    limbs = np.zeros((frames, len(LIMB_POINTS), 3))
    angle = np.arange(frames) * 0.3
    left, right = (LIMB_POINTS.index(point) for point in (6, 3))
    limbs[:, left] = np.stack([0.7 + 0.1 * np.cos(angle), 0.5 + 0.1 * np.sin(angle), np.ones(frames)], axis=1)
    limbs[: frames // 2, right] = (0.3, 0.5, 1)
    return replace(waving(frames, seed=seed), limbs_FKC=limbs)


@pytest.mark.slow
def test_arms_learned_by_heart_are_generated_beside_the_hands(store: Callable, tmp_path: Path) -> None:
    """Where the elbow is, and where a joint is seen at all."""
    whole = GestureClip(parameters=reaching(frames=FRAMES), audio_FD=clip(frames=FRAMES).audio_FD)
    plan = recipe(form="keypoints", steps=150, learning_rate=8e-3, warmup_steps=20, decay_fraction=0.5)
    plan = plan.derive(sampling=TELL_ALL.derive(from_start=1.0))
    model = gesture_trainer(plan, store(whole), out=tmp_path / "run").run().eval()
    made = generate_motion(
        model,
        audio_FD=whole.audio_FD.astype(np.float32),
        frames=FRAMES,
        seed=3,
        amplitudes=model.amplitudes((1.0, 1.0)),
        offset_FD=whole.parameters.offset_FD,
        steps=10,
    ).limbs_FKC
    true = whole.parameters.limbs_FKC
    assert made is not None and true is not None
    np.testing.assert_array_equal(made[..., 2], true[..., 2])
    left = LIMB_POINTS.index(6)
    assert np.abs(made - true)[:, left, :2].max() < 0.05, "the elbow goes around by 0.2"


def test_a_store_without_keypoints_cannot_teach_them(store: Callable, tmp_path: Path) -> None:
    with pytest.raises(PoseError, match=r"has hands alone.*without '--joints keypoints'"):
        gesture_trainer(recipe(form="keypoints"), store(clip()), out=tmp_path / "run")
    one = GestureClip(parameters=reaching(frames=60), audio_FD=clip().audio_FD)
    (found,) = store(one, name="both")
    assert found.parameters.limbs_FKC is not None and one.parameters.limbs_FKC is not None
    np.testing.assert_allclose(found.parameters.limbs_FKC, one.parameters.limbs_FKC, atol=1e-6)


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
    paper = read_gesture_recipe("emo2", audio_dim=10752, form="hands").model.transformer
    assert (paper.blocks, paper.width, paper.frames, paper.frames_before) == (24, 512, 300, 12)
    assert (paper.vector, paper.audio_dim) == (134, 10752)
    tiny = read_gesture_recipe("tiny", audio_dim=store(clip()).index.audio_dim, form="arms")
    assert (tiny.model.transformer.audio_dim, tiny.model.transformer.vector) == (AUDIO_DIM, 146)
    assert json.loads(tiny.to_json())["model"]["form"] == "arms"
    with pytest.raises(ConfigError, match=r"no recipe 'huge': .* come with the package: emo2, tiny"):
        read_gesture_recipe("huge", audio_dim=AUDIO_DIM, form="hands")


def test_the_papers_run_is_that_of_section_4_1() -> None:
    recipe = read_gesture_recipe("emo2", audio_dim=10752, form="hands")
    sizes = recipe.model.transformer
    assert (sizes.blocks, sizes.width, sizes.vector) == (24, 512, 134)
    assert (sizes.frames, sizes.frames_before) == (300, 12)
    assert (recipe.sampling.spans, recipe.loop.steps) == (8, 400_000), "batch size of 8 for 400k steps"
