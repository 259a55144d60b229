"""Memory of training: what is held, kept and copied less, and that nothing is learned differently for it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cyberhost_core.backbone.ops import TRAINING_OPS
from cyberhost_core.errors import CheckpointError, ConfigError, MissingExtraError
from cyberhost_core.profiling.live_bytes import LiveBytes
from cyberhost_core.profiling.random_batch import largest_batch
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.batches import SamplingConfig
from cyberhost_core.training.checkpoint import save_run
from cyberhost_core.training.loop import LoopConfig
from cyberhost_core.training.optimizers import make_optimizer, state_bytes
from cyberhost_core.training.runs import stage_trainer
from cyberhost_core.training.stage import StageConfig, TrainingModule, set_up
from cyberhost_core.training.trainer import Trainer

STAGE = StageConfig(
    name="video",
    frames=3,
    steps=2,
    learning_rate=1e-3,
    warmup_steps=1,
    ema_decay=0.9,
    precision="no",
    workers=0,
)
TWO_CLIPS = STAGE.derive(sampling=SamplingConfig(clips=2))


@pytest.fixture
def trainer_of(small_spec: SystemSpec, make_store: Callable, tmp_path: Path) -> Callable[..., Trainer]:
    store = make_store(small_spec)

    def trainer_of(stage: StageConfig = STAGE, *, out: str = "run") -> Trainer:
        torch.manual_seed(0)
        model = SystemModel(small_spec, ops=TRAINING_OPS)
        return stage_trainer(model, stage, store, out=tmp_path / out)

    return trainer_of


@pytest.fixture
def backward(small_spec: SystemSpec, fill: Callable) -> Callable[[StageConfig], tuple[dict, int]]:
    """Run one step of a stage on random weights; gradients by name, and bytes held for the backward pass."""

    def backward(stage: StageConfig) -> tuple[dict[str, Tensor], int]:
        model = SystemModel(small_spec, ops=TRAINING_OPS)
        set_up(model, stage)
        module = TrainingModule(model, stage.losses)
        fill(module)
        batch = largest_batch(small_spec, stage)  # of two clips, one goes without its reference
        with LiveBytes([*module.parameters(), *module.buffers()]) as counter:
            total = torch.stack(list(module(batch).values())).sum()
            held = counter.now
            total.backward()
        found = {name: value.grad for name, value in module.named_parameters() if value.grad is not None}
        return found, held

    return backward


def test_checkpointed_activations_give_the_gradients_of_plain_ones_and_less_is_held(
    backward: Callable,
) -> None:
    plain, held = backward(TWO_CLIPS)
    checkpointed, held_less = backward(TWO_CLIPS.derive(activation_checkpointing=True))
    assert checkpointed.keys() == plain.keys()
    assert {"reference_net", "hand_encoder", "denoiser"} <= {name.split(".")[1] for name in plain}
    assert any(name.startswith("losses.") for name in plain)
    for name, gradient in plain.items():
        torch.testing.assert_close(checkpointed[name], gradient, atol=1e-5, rtol=1e-5, msg=name)
    assert held_less < held / 3


def test_the_average_of_checkpointed_layers_computes_with_its_own_weights(trainer_of: Callable) -> None:
    trainer = trainer_of(STAGE.derive(activation_checkpointing=True))
    own, average = (each.model.denoiser.mid_block.resnets[0] for each in (trainer.module, trainer.ema))
    assert (own.forward.args[0].__self__, average.forward.args[0].__self__) == (own, average)


def test_only_parts_that_are_named_learn(trainer_of: Callable) -> None:
    trainer = trainer_of(STAGE.derive(trained=("motion_modules", "hands_attentions"), frozen=("to_q",)))
    before = {name: value.clone() for name, value in trainer.module.model.state_dict().items()}
    trainer.run()
    after = trainer.module.model.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(after[name], value)}
    assert moved
    named = {name for name in before if "motion_modules" in name or "hands_attentions" in name}
    assert moved <= {name for name in named if ".to_q." not in name}
    assert {"motion_modules", "hands_attentions"} <= {part for name in moved for part in name.split(".")}


@pytest.mark.parametrize("parts", [{"trained": ("motion_module",)}, {"frozen": ("reference",)}])
def test_a_part_that_is_not_there_is_named_with_what_is(parts: dict, trainer_of: Callable) -> None:
    with pytest.raises(ConfigError, match=r"which 'small' does not have; give .* such as reference_net, "):
        trainer_of(STAGE.derive(**parts))


def test_a_stage_that_trains_nothing_is_refused(trainer_of: Callable) -> None:
    with pytest.raises(ConfigError, match="The stage trains nothing"):
        trainer_of(STAGE.derive(trained=("reference_net",), frozen=("reference_net",)))


def test_what_is_frozen_is_there_once(trainer_of: Callable) -> None:
    """The average needs no copy of it, unless it lies elsewhere."""
    frozen = STAGE.derive(frozen=("reference_net",))
    for stage, shared in ((frozen, True), (frozen.derive(average_on_cpu=True), False)):
        trainer = trainer_of(stage, out=f"run-{shared}")
        own, average = (dict(each.named_parameters()) for each in (trainer.module, trainer.ema))
        assert {name for name in own if own[name] is average[name]} == {
            name for name in own if "reference_net" in name and shared
        }


def test_an_average_in_the_hosts_memory_is_the_same_average(trainer_of: Callable) -> None:
    """Validation sees its numbers, on the device, and gives the weights back as they were."""
    seen: dict[str, list[dict[str, Tensor]]] = {"device": [], "host": []}
    stage = STAGE.derive(validate_every=1)
    for place, found in seen.items():
        trainer = trainer_of(stage.derive(average_on_cpu=place == "host"), out=place)

        def validate(model: SystemModel, step: int, found=found) -> dict[str, float]:
            assert not model.training
            found.append({name: value.clone() for name, value in model.state_dict().items()})
            return {}

        trainer.run(validate=validate)
        assert trainer.module.training
    expected, found = (load_file(trainer_of(stage, out=place).run_file) for place in seen)
    assert expected.keys() == found.keys()
    assert [name for name, value in expected.items() if not torch.equal(found[name], value)] == []
    for on_device, on_host in zip(*seen.values(), strict=True):
        assert [name for name, value in on_device.items() if not torch.equal(on_host[name], value)] == []
    assert not torch.equal(*(found[f"{kind}.model.denoiser.conv_in.weight"] for kind in ("ema", "weights")))


def save(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, *, step: int) -> None:
    save_run(path, module=module, ema=module, optimizer=optimizer, step=step, config="{}")


def test_saving_takes_no_second_copy(tmp_path: Path) -> None:
    module, optimizer, _ = stepped(LoopConfig(steps=1), steps=1)
    states = [value for state in optimizer.state.values() for value in state.values()]
    with LiveBytes([*module.parameters(), *states]) as counter:
        save(tmp_path / "run.safetensors", module, optimizer, step=1)
    assert counter.peak < max(value.nbytes for value in module.parameters())
    assert len(load_file(tmp_path / "run.safetensors")) == 4 + 4 + 3 * 4


def test_a_run_that_has_diverged_keeps_its_last_good_state(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    module, optimizer, _ = stepped(LoopConfig(steps=1), steps=1)
    save(path, module, optimizer, step=1)
    good = path.read_bytes()
    with torch.no_grad():
        module.get_parameter("0.bias")[3] = torch.nan
    with pytest.raises(
        CheckpointError, match=r"has diverged: '\w+\.0\.bias' holds .* after step 2; .* left as it was"
    ):
        save(path, module, optimizer, step=2)
    assert path.read_bytes() == good
    assert list(tmp_path.iterdir()) == [path]


def stepped(loop: LoopConfig, *, steps: int = 40) -> tuple[nn.Module, torch.optim.Optimizer, float]:
    """Fit a linear map; the module, its optimizer, and how much of the error is left."""
    torch.manual_seed(0)
    module, x = nn.Sequential(nn.Linear(96, 64), nn.Linear(64, 8)), torch.randn(50, 96)
    target, optimizer = x @ torch.randn(96, 8) / 10, make_optimizer(module.parameters(), loop)
    errors = []
    for _ in range(steps):
        error = (module(x) - target).pow(2).mean()
        errors.append(error.item())
        error.backward()
        optimizer.step()
        optimizer.zero_grad()
    return module, optimizer, errors[-1] / errors[0]


def kept_bytes(optimizer: torch.optim.Optimizer) -> int:
    tensors = [value for state in optimizer.state.values() for value in state.values()]
    return sum(value.nbytes for value in tensors if isinstance(value, Tensor) and value.ndim)


def test_what_adamw_keeps_is_what_is_counted() -> None:
    loop = LoopConfig(steps=40, learning_rate=1e-2)
    module, optimizer, left = stepped(loop)
    assert kept_bytes(optimizer) == state_bytes(module.parameters(), loop) == 2 * 4 * (97 * 64 + 65 * 8)
    assert left < 0.2


def test_8_bit_moments_take_about_a_quarter_and_learn_as_well() -> None:
    pytest.importorskip("bitsandbytes")
    whole = LoopConfig(steps=40, learning_rate=1e-2)
    loop = whole.derive(optimizer="adamw_8bit")
    module, optimizer, left = stepped(loop)
    tables = 2 * 256 * 4  # of the numbers that 8 bits stand for, the same for all weights
    assert kept_bytes(optimizer) - tables == state_bytes(module.parameters(), loop)
    assert state_bytes(module.parameters(), loop) < 0.4 * state_bytes(module.parameters(), whole)
    assert left == pytest.approx(stepped(whole)[2], abs=0.05)


def test_a_run_with_8_bit_moments_resumes_in_the_same_bits(trainer_of: Callable) -> None:
    pytest.importorskip("bitsandbytes")
    stage = STAGE.derive(optimizer="adamw_8bit")
    straight = trainer_of(stage, out="straight")
    straight.run()
    trainer_of(stage, out="resumed").run(until=1)
    resumed = trainer_of(stage, out="resumed")
    resumed.run()
    expected, found = load_file(straight.run_file), load_file(resumed.run_file)
    assert expected.keys() == found.keys()
    assert any(value.dtype == torch.uint8 for value in expected.values())
    assert [name for name, value in expected.items() if not torch.equal(found[name], value)] == []


def test_8_bit_moments_without_bitsandbytes_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtraError, match=r"adamw_8bit needs .*'cyberhost\[train-8bit\]'"):
        make_optimizer([], LoopConfig(steps=1, optimizer="adamw_8bit"))
