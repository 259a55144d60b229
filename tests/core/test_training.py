"""Training: what is learned, resumed, averaged and handed on."""

import re
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cyberhost_core.backbone.ops import TRAINING_OPS
from cyberhost_core.data.store import PreparedVideos
from cyberhost_core.errors import CheckpointError
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.batches import Batch, BatchMaker, SamplingConfig
from cyberhost_core.training.losses import LossConfig
from cyberhost_core.training.stage import StageConfig, TrainingModule, image_stage_spec
from cyberhost_core.training.trainer import Trainer, learning_rate, update_average

FRAMES = 3
NEVER_DROP = SamplingConfig(drop_reference=0, drop_audio=0, drop_motion=0)
STAGE = StageConfig(
    name="video", frames=FRAMES, steps=4, learning_rate=1e-3, warmup_steps=2, ema_decay=0.9, precision="no"
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
    ) -> Trainer:
        torch.manual_seed(start)
        model = SystemModel(spec, ops=TRAINING_OPS)
        return Trainer(model, stage, videos, out=tmp_path / out, workers=0)

    return make_trainer


# Resuming ----------------------------------------------------------------------------------------------------


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
    with pytest.raises(CheckpointError, match="started with another configuration; resume with the same"):
        other.run()


def test_a_run_of_another_system_is_not_resumed(make_trainer: Callable, small_spec: SystemSpec) -> None:
    make_trainer().run(until=1)
    other = make_trainer(spec=small_spec.derive(clarity=None))
    with pytest.raises(CheckpointError, match="trains a system with other parts than this one; resume with"):
        other.run()


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
    from safetensors.torch import save_file

    trainer = make_trainer()
    trainer.run_file.parent.mkdir()
    save_file({"weights.x": torch.zeros(1)}, trainer.run_file)
    with pytest.raises(CheckpointError, match="is not a training run; give the"):
        trainer.run()


# Rules of the loop -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "rate"), [(0, 1 / 10), (8, 9 / 10), (10_000, 0.9)])
def test_the_average_moves_towards_the_weights_faster_at_first(step: int, rate: float) -> None:
    torch.manual_seed(0)
    average, module = nn.Linear(3, 2), nn.Linear(3, 2)
    decay = 0.1
    follow = 1 - min(decay, (1 + step) / (10 + step))
    expected = {
        name: follow * value.detach() + (1 - follow) * average.state_dict()[name]
        for name, value in module.named_parameters()
    }
    update_average(average, module, decay=decay, step=step)
    assert follow == pytest.approx(max(0.9, rate)) or step == 0
    for name, value in average.state_dict().items():
        torch.testing.assert_close(value, expected[name])


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


def test_accumulated_gradients_equal_those_of_the_larger_batch(make_trainer: Callable) -> None:
    sampling = NEVER_DROP.derive(clips=2)
    stage = STAGE.derive(steps=1, sampling=sampling, clip_norm=1e9)
    both = make_trainer(stage, out="both")
    batch = both.batches[0]
    both.batches = [batch]
    both.run()
    parted = make_trainer(stage.derive(accumulate=2), out="parted")
    parted.batches = [one_clip(batch, clip) for clip in range(2)]
    parted.run()
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


# Losses ------------------------------------------------------------------------------------------------------


def losses_of(module: TrainingModule, batch: Batch) -> dict[str, float]:
    with torch.no_grad():
        return {name: float(value) for name, value in module(batch).items()}


def test_local_enhancement_acts_below_500_and_in_half_of_the_cases(
    small_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    batch = BatchMaker(make_store(small_spec), small_spec, NEVER_DROP, frames=FRAMES, seed=0)[0]
    module = TrainingModule(build(small_spec), LossConfig())

    def losses(timestep: int, chance: float) -> dict[str, float]:
        told = replace(batch, timestep=torch.tensor([timestep]), chance=torch.tensor([chance]))
        return losses_of(module, told)

    assert losses(499, 0.4)["heatmap"] > 0
    assert losses(500, 0.4)["heatmap"] == 0
    assert losses(499, 0.6)["heatmap"] == 0
    assert losses(499, 0.4)["denoising"] > losses(499, 0.6)["denoising"]
    assert losses(499, 0.4)["hands_mask"] == losses(499, 0.6)["hands_mask"] > 0


def test_mask_losses_carry_their_weights(
    small_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    batch = BatchMaker(make_store(small_spec), small_spec, NEVER_DROP, frames=FRAMES, seed=0)[0]
    model = build(small_spec)
    paper = losses_of(TrainingModule(model, LossConfig()), batch)
    one = losses_of(TrainingModule(model, LossConfig(hands_mask_weight=1, face_mask_weight=1)), batch)
    assert paper["hands_mask"] == pytest.approx(0.005 * one["hands_mask"])
    assert paper["face_mask"] == pytest.approx(0.001 * one["face_mask"])


def test_a_system_without_rams_has_the_denoising_loss_alone(
    small_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    spec = image_stage_spec(small_spec)
    batch = BatchMaker(make_store(small_spec), spec, NEVER_DROP, frames=1, seed=0)[0]
    losses = losses_of(TrainingModule(build(spec), LossConfig()), batch)
    assert {name for name, value in losses.items() if value} == {"denoising"}


def test_every_parameter_learns_but_the_end_of_the_reference_net_that_nobody_reads(
    small_spec: SystemSpec, build: Callable, make_store: Callable, fill: Callable
) -> None:
    batch = BatchMaker(make_store(small_spec), small_spec, NEVER_DROP, frames=FRAMES, seed=0)[0]
    module = TrainingModule(build(small_spec).requires_grad_(True).train(), LossConfig())
    fill(module.heads)
    told = replace(batch, timestep=torch.tensor([100]), chance=torch.tensor([0.1]))
    torch.stack(list(module(told).values())).sum().backward()
    idle = {name for name, value in module.named_parameters() if value.grad is None or not value.grad.any()}
    end = r"model\.reference_net\.up_blocks\.1\.attentions\.1\.(proj_out|transformer_blocks\.0\.(attn1|norm3|ff))\..*"
    assert idle
    assert not {name for name in idle if not re.fullmatch(end, name)}


# Learning ----------------------------------------------------------------------------------------------------


def test_a_model_learns_one_clip_by_heart(
    make_trainer: Callable, small_spec: SystemSpec, make_store: Callable
) -> None:
    store = make_store(small_spec, videos=1, frames=FRAMES + 4)
    stage = STAGE.derive(
        steps=200,
        learning_rate=4e-3,
        warmup_steps=10,
        decay_fraction=0.5,
        sampling=NEVER_DROP.derive(clips=4),
    )
    trainer = make_trainer(stage, videos=store)
    exam = BatchMaker(store, small_spec, NEVER_DROP.derive(clips=32), frames=FRAMES, seed=1)[0]
    before = losses_of(trainer.module, exam)["denoising"]
    trainer.run()
    after = losses_of(trainer.ema, exam)["denoising"]
    print("LOSS", before, after)
    assert after < before / 3


def test_the_first_stage_hands_its_weights_to_the_second(
    make_trainer: Callable, small_spec: SystemSpec
) -> None:
    spec = image_stage_spec(small_spec)
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


def same_keys(found: Sequence[str], expected: Sequence[str]) -> bool:
    return sorted(found) == sorted(expected)
