"""What a training step takes is counted as it is used: a real run beside the plan."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch.profiler import ProfilerActivity, profile

from cyberhost_core.cli.main import OK, UNUSABLE, main
from cyberhost_core.profiling.random_batch import largest_batch
from cyberhost_core.profiling.training_plan import AS_ON_A_CARD, plan_training
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.batch import Batch
from cyberhost_core.training.batches import SamplingConfig
from cyberhost_core.training.runs import stage_trainer
from cyberhost_core.training.stage import StageConfig

PLAIN = StageConfig(
    name="video",
    frames=6,
    steps=2,
    warmup_steps=1,
    precision="no",
    workers=0,
    sampling=SamplingConfig(clips=2),
)


@pytest.fixture
def spec(small_spec: SystemSpec) -> SystemSpec:
    """Small, but large enough for its activations to outweigh everything else."""
    return small_spec.derive(unet=small_spec.unet.derive(channels=(32, 64)), height=128, width=96)


def amounts(spec: SystemSpec, stage: StageConfig, *, devices: int = 1) -> dict[str, int]:
    return {each.name: each.bytes for each in plan_training(spec, stage, devices=devices).amounts}


def nbytes_of(batch: Batch) -> int:
    inputs = [*batch.portrait.values(), *batch.drive.values(), *batch.targets.values()]
    return sum(value.nbytes for value in (batch.latents, batch.noise, batch.past, *inputs))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"activation_checkpointing": True},
        {"activation_checkpointing": True, "precision": "bf16", "accumulate": 2},
        {"trained": ("motion_modules", "hands_attentions")},
    ],
    ids=str,
)
def test_the_plan_is_what_a_real_step_takes(
    changes: dict[str, Any],
    spec: SystemSpec,
    make_store: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within 3 % of what torch's allocator gave out to the trainer, on a CPU, which may imitate bf16 here."""
    monkeypatch.setattr("cyberhost_core.training.precision._is_imitated", lambda: False)
    stage = PLAIN.derive(**changes)
    planned = amounts(spec, stage)
    batch = largest_batch(spec, stage)
    trainer = stage_trainer(
        SystemModel(spec, ops=AS_ON_A_CARD), stage, make_store(spec), out=tmp_path / "run"
    )
    trainer.batches = [batch] * (stage.accumulate * stage.steps)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        trainer.run()
    now = peak = 0
    for event in recorded.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    there_before = planned["weights"] + planned["average"] + nbytes_of(batch)
    assert there_before + peak == pytest.approx(planned["all"], rel=0.03)
    assert peak == pytest.approx(planned["all"] - there_before, rel=0.03)


@pytest.mark.slow
def test_each_setting_takes_less_of_what_it_is_for(small_spec: SystemSpec) -> None:
    plain = amounts(small_spec, PLAIN)
    kept = {"weights", "gradients", "optimizer", "average"}
    held = amounts(small_spec, PLAIN.derive(activation_checkpointing=True))
    assert held["held"] < plain["held"] / 2
    assert {name: held[name] for name in kept} == {name: plain[name] for name in kept}
    on_host = amounts(small_spec, PLAIN.derive(average_on_cpu=True))
    assert plain["all"] - on_host["all"] == plain["average"]
    in_8_bits = amounts(small_spec, PLAIN.derive(optimizer="adamw_8bit"))
    assert plain["all"] - in_8_bits["all"] == plain["optimizer"] - in_8_bits["optimizer"] > 0
    part = amounts(small_spec, PLAIN.derive(trained=("motion_modules",)))
    assert part["weights"] == plain["weights"]
    assert part["gradients"] < plain["gradients"] / 2
    assert part["optimizer"] == 2 * part["gradients"]
    assert part["average"] < plain["average"] - plain["gradients"] + 1.1 * part["gradients"]


@pytest.mark.slow
def test_gradients_that_devices_exchange_are_there_all_the_time(small_spec: SystemSpec) -> None:
    alone, together = amounts(small_spec, PLAIN), amounts(small_spec, PLAIN, devices=2)
    static = sum(together[name] for name in ("weights", "gradients", "optimizer", "average"))
    assert together["all"] == static + together["step_peak"]
    assert together["step_peak"] < alone["step_peak"]
    assert together == amounts(small_spec, PLAIN.derive(accumulate=2))


@pytest.mark.slow
def test_the_command_counts_a_recipe_with_what_is_changed_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["--set", "image.activation_checkpointing=true", "--set", "image.optimizer=adamw_8bit"]
    assert main(["memory", "--train", "tiny", "--stage", "image", *changes, "--json"]) == OK
    plan = json.loads(capsys.readouterr().out)
    assert plan["title"].startswith("Memory of training cyberhost-tiny, stage image: 24 clips of 1 frame")
    found = {amount["name"]: amount["bytes"] for amount in plan["amounts"]}
    assert found["optimizer"] < found["gradients"]


def test_a_recipe_that_is_not_there_ends_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", "--train", "cyberghost"]) == UNUSABLE
    assert "There is no recipe 'cyberghost'" in capsys.readouterr().err


def test_a_recipes_own_size_is_not_silently_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", "--train", "tiny", "--height", "64"]) == UNUSABLE
    assert "the recipe says which system is trained" in capsys.readouterr().err
