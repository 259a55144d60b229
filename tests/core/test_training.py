"""Training: what is learned, resumed, averaged and handed on."""

import math
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cyberhost_core.backbone.ops import TRAINING_OPS
from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.checkpoints.parts import save_vae
from cyberhost_core.conditioners.hand_clarity import HandClarity
from cyberhost_core.data.store import PreparedVideos
from cyberhost_core.errors import CheckpointError
from cyberhost_core.systems.cyberhost import ram_at
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.average import update_average
from cyberhost_core.training.batch import Batch
from cyberhost_core.training.batches import BatchMaker, SamplingConfig
from cyberhost_core.training.first_stages import basic_modules
from cyberhost_core.training.loop import LoopConfig, learning_rate
from cyberhost_core.training.recipes.recipe import Recipe
from cyberhost_core.training.runs import RunFiles, stage_trainer, train_stage
from cyberhost_core.training.stage import StageConfig
from cyberhost_core.training.trainer import Trainer

FRAMES = 3
NEVER_DROP = SamplingConfig(drop=(), drop_past=0)
STAGE = StageConfig(
    name="video",
    frames=FRAMES,
    steps=4,
    learning_rate=1e-3,
    warmup_steps=2,
    ema_decay=0.9,
    precision="no",
    workers=0,
)
FIRST_STAGE_LACKS = (
    r"denoiser\..*(motion_modules|_attentions|norm_audio|attn_audio)\..*"
    r"|(clarity_embedding|audio_projection|hand_encoder|face_projection)\..*"
)


@pytest.fixture
def make_trainer(small_spec: SystemSpec, make_store: Callable, tmp_path: Path) -> Callable[..., Trainer]:
    store = make_store(small_spec)

    def make_trainer(
        stage: StageConfig = STAGE,
        *,
        out: str = "run",
        spec: SystemSpec = small_spec,
        start: int = 0,
        videos: PreparedVideos = store,
        seed: int = 0,
    ) -> Trainer:
        torch.manual_seed(start)
        model = SystemModel(spec, ops=TRAINING_OPS)
        return stage_trainer(model, stage, videos, out=tmp_path / out, seed=seed)

    return make_trainer


def test_a_run_that_was_stopped_and_resumed_ends_in_the_same_bits(make_trainer: Callable) -> None:
    straight = make_trainer(out="straight")
    straight.run()
    make_trainer(out="resumed").run(until=2)
    resumed = make_trainer(out="resumed", start=99)  # other first weights, which resuming must overwrite
    model = resumed.run()
    expected, found = load_file(straight.run_file), load_file(resumed.run_file)
    assert expected.keys() == found.keys()
    assert {key.split(".")[0] for key in found} == {"weights", "ema", "optimizer"}
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    for name, value in model.state_dict().items():
        assert torch.equal(value, expected[f"ema.model.{name}"]), name


def test_resuming_reports_only_the_steps_that_are_left(make_trainer: Callable) -> None:
    make_trainer().run(until=3)
    steps: list[int] = []
    make_trainer().run(report=lambda step, losses: steps.append(step) if losses else None)
    assert steps == [4]


def test_a_run_of_another_configuration_is_not_resumed(make_trainer: Callable) -> None:
    make_trainer().run(until=1)
    other = make_trainer(STAGE.derive(learning_rate=2e-3))
    with pytest.raises(CheckpointError, match=r"started with another stage\.learning_rate; resume with the"):
        other.run()


def test_a_run_of_another_system_is_not_resumed(make_trainer: Callable, small_spec: SystemSpec) -> None:
    make_trainer().run(until=1)
    other = make_trainer(spec=small_spec.without(HandClarity))
    with pytest.raises(
        CheckpointError, match=r"started with another system\.conditioners; resume with the same"
    ):
        other.run()


def test_a_run_of_another_seed_is_not_resumed(make_trainer: Callable) -> None:
    make_trainer().run(until=1)
    with pytest.raises(CheckpointError, match="started with another seed; resume with the same command"):
        make_trainer(seed=1).run()


@pytest.mark.parametrize("kept", [0, 0.5])
def test_a_damaged_run_file_is_named(kept: float, make_trainer: Callable) -> None:
    trainer = make_trainer()
    trainer.run(until=1)
    whole = trainer.run_file.read_bytes()
    trainer.run_file.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(
        CheckpointError, match=r"run\.safetensors cannot be read .*; restore it, or train into"
    ):
        make_trainer().run()


def test_a_file_that_is_no_run_is_named(make_trainer: Callable, tmp_path: Path) -> None:
    trainer = make_trainer()
    trainer.run_file.parent.mkdir()
    save_file({"weights.x": torch.zeros(1)}, trainer.run_file)
    with pytest.raises(CheckpointError, match="is not a training run; give the"):
        trainer.run()


def test_buffers_are_averaged_where_asked_but_counts_are_taken_as_they_are() -> None:
    average, module = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    module.running_mean = torch.tensor([1.0, 2.0, 3.0])
    module.num_batches_tracked = torch.tensor(7)
    update_average(average, module, decay=0.9, step=90, buffers=True)
    torch.testing.assert_close(average.running_mean, torch.tensor([0.1, 0.2, 0.3]))
    assert average.num_batches_tracked == 7
    update_average(average, module, decay=0.9, step=91)
    assert torch.equal(average.get_buffer("running_mean"), module.running_mean)


@pytest.mark.parametrize(("step", "rate"), [(0, 0.9), (2, 0.75), (90, 0.1), (10_000, 0.1)])
def test_the_average_moves_towards_the_weights_and_faster_at_first(step: int, rate: float) -> None:
    torch.manual_seed(0)
    average, module = nn.Linear(3, 2), nn.Linear(3, 2)
    before = {name: value.clone() for name, value in average.state_dict().items()}
    update_average(average, module, decay=0.9, step=step)
    for name, value in average.state_dict().items():
        expected = (1 - rate) * before[name] + rate * module.state_dict()[name]
        torch.testing.assert_close(value, expected)


def test_the_learning_rate_warms_up_holds_and_falls_to_a_tenth() -> None:
    stage = StageConfig(name="video", steps=1000, learning_rate=2.0, warmup_steps=100, decay_fraction=0.25)
    rates = [learning_rate(stage, step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[49] == pytest.approx(1.0)
    assert rates[99:750] == [2.0] * 651
    assert rates[875] == pytest.approx(2.0 * 0.55)
    assert rates[999] == pytest.approx(0.2, rel=0.05)
    assert rates[100:] == sorted(rates[100:], reverse=True)
    constant = stage.derive(decay_fraction=0.0)
    assert {learning_rate(constant, step) for step in range(100, 1000)} == {2.0}


def test_the_learning_rate_can_fall_along_half_a_cosine_to_any_floor() -> None:
    loop = LoopConfig(
        steps=1000, learning_rate=2.0, warmup_steps=1, decay="cosine", decay_fraction=1.0, decay_to=0.02
    )
    for step in (0, 1, 250, 500, 999):
        share = 0.02 + 0.98 * (1 + math.cos(math.pi * step / 1000)) / 2
        assert learning_rate(loop, step) == pytest.approx(2.0 * share)
    held = loop.derive(decay_fraction=0.5)
    assert learning_rate(held, 500) == 2.0
    assert learning_rate(held, 750) == pytest.approx(2.0 * 0.51)


def test_accumulated_gradients_equal_those_of_the_larger_batch(make_trainer: Callable) -> None:
    sampling = NEVER_DROP.derive(clips=2)
    stage = STAGE.derive(steps=1, sampling=sampling, clip_norm=1e9)
    both = make_trainer(stage, out="both")
    batch = both.batches[0]
    both.batches = [batch]
    reports: list[dict[str, float]] = []
    both.run(report=lambda _, losses: reports.append(losses))
    parted = make_trainer(stage.derive(accumulate=2), out="parted")
    parted.batches = [one_clip(batch, clip) for clip in range(2)]
    parted.run(report=lambda _, losses: reports.append(losses))
    assert reports[1] == pytest.approx(reports[0], rel=1e-4)
    expected, found = moments(both), moments(parted)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-7, rtol=1e-3)


def one_clip(batch: Batch, clip: int) -> Batch:
    def part(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: part(tensor) for key, tensor in value.items()}
        own = len(value) // 2
        return value[clip * own : (clip + 1) * own]

    return replace(batch, **{item.name: part(getattr(batch, item.name)) for item in fields(batch)})


def moments(trainer: Trainer) -> dict[str, Tensor]:
    """The first moments: after one step, a tenth of the gradients."""
    return {name: value for name, value in load_file(trainer.run_file).items() if name.endswith("exp_avg")}


@pytest.mark.slow
def test_a_model_learns_one_clip_by_heart(
    make_trainer: Callable, small_spec: SystemSpec, make_store: Callable
) -> None:
    spec = ram_at(small_spec, ("up_blocks.1.1",))
    store = make_store(spec, videos=1, frames=FRAMES + 4)  # one clip fits, so each batch holds this one
    stage = STAGE.derive(
        steps=60, learning_rate=1e-2, warmup_steps=10, decay_fraction=0.5, sampling=NEVER_DROP.derive(clips=8)
    )
    trainer = make_trainer(stage, spec=spec, videos=store)
    exam = BatchMaker(store, spec, NEVER_DROP.derive(clips=16), frames=FRAMES, seed=1, losses=stage.losses)[0]
    with torch.no_grad():
        before = trainer.module(exam)["denoising"]
    trainer.run()
    with torch.no_grad():
        assert trainer.ema(exam)["denoising"] < 0.6 * before


def test_the_first_stage_hands_its_weights_to_the_second(
    make_trainer: Callable, small_spec: SystemSpec
) -> None:
    spec = basic_modules(small_spec)
    stage = STAGE.derive(name="image", frames=1, steps=2, sampling=SamplingConfig(clips=2))
    learned = make_trainer(stage, spec=spec).run().state_dict()
    second = SystemModel(small_spec)
    missing, unexpected = second.load_state_dict(learned, strict=False)
    assert unexpected == []
    assert missing
    expected = [name for name in second.state_dict() if re.fullmatch(FIRST_STAGE_LACKS, name)]
    assert sorted(missing) == sorted(expected)
    assert torch.equal(second.denoiser.conv_in.weight, learned["denoiser.conv_in.weight"])


def test_the_average_and_not_the_last_weights_are_handed_on(make_trainer: Callable) -> None:
    trainer = make_trainer()
    model = trainer.run()
    saved = load_file(trainer.run_file)
    name = "denoiser.conv_in.weight"
    assert torch.equal(model.state_dict()[name], saved[f"ema.model.{name}"])
    assert not torch.equal(model.state_dict()[name], saved[f"weights.model.{name}"])


def test_one_run_trains_on_pictures_of_several_sizes(
    make_trainer: Callable, small_spec: SystemSpec, make_store: Callable
) -> None:
    store = make_store(small_spec, videos=2, wide=2)
    trainer = make_trainer(spec=small_spec.derive(any_size=True), videos=store)
    assert {tuple(trainer.batches[step].latents.shape[3:]) for step in range(STAGE.steps)} == {(4, 3), (3, 4)}
    losses: list[float] = []
    trainer.run(report=lambda _, values: losses.extend(values.values()))
    assert losses and all(map(math.isfinite, losses))


def test_validation_sees_the_average_as_often_as_set(make_trainer: Callable) -> None:
    seen: list[int] = []
    reported: dict[int, list[str]] = {}
    trainer = make_trainer(STAGE.derive(validate_every=2))

    def validate(model: SystemModel, step: int) -> dict[str, float]:
        assert model is trainer.ema.model
        seen.append(step)
        return {"sync": 1.0}

    trainer.run(validate=validate, report=lambda step, told: reported.setdefault(step, []).extend(told))
    assert seen == [2, 4]
    assert [step for step, told in reported.items() if "sync" in told] == [2, 4]
    assert {"denoising", "heatmap", "hands_mask", "face_mask"} <= set(reported[1])


def test_an_autoencoder_of_other_latents_is_refused_before_the_first_step(
    small_spec: SystemSpec, make_store: Callable, tmp_path: Path
) -> None:
    save_vae(tmp_path / "vae.safetensors", TinyVAE(TinyVAEConfig(latent_channels=8, encoder_widths=(8, 8))))
    recipe = Recipe(system=small_spec, image_system=small_spec, image=STAGE, video=STAGE)
    store = make_store(small_spec).folder
    files = RunFiles(store=store, out=tmp_path / "out", held_out=store, vae=tmp_path / "vae.safetensors")
    steps: list[int] = []
    with pytest.raises(CheckpointError, match=r"makes latents of 8 channels, but 'small' works on 4; give"):
        train_stage(recipe, STAGE, files, show=lambda step, _losses: steps.append(step))
    assert steps == []


def test_a_cpu_that_would_imitate_bf16_computes_float32_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cyberhost_core.cli.running import shown_losses
    from cyberhost_core.training import precision
    from cyberhost_core.training.loop import LoopConfig

    for knows, expected in ((True, "bf16"), (False, "no")):
        monkeypatch.setattr(precision, "_is_imitated", lambda knows=knows: not knows)
        assert precision.computed_precision(LoopConfig(steps=1)) == expected
        assert precision.computed_precision(LoopConfig(steps=1, precision="no")) == "no"
        show = shown_losses(LoopConfig(steps=1))
        show(1, {})
        show(2, {})
        assert capsys.readouterr().err.count("no instructions for bf16") == (0 if knows else 1)
