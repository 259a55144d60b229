"""A segment is timed as it is sampled: all steps with all passes, in the precision asked for."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cyberhost_core.backbone.unet import UNet
from cyberhost_core.checkpoints.autoencoders import usual_autoencoder
from cyberhost_core.checkpoints.file import Checkpoint, save_checkpoint
from cyberhost_core.cli.main import OK, UNUSABLE, main
from cyberhost_core.errors import ConfigError
from cyberhost_core.pipeline.devices import usable_device
from cyberhost_core.profiling import device_clock
from cyberhost_core.profiling.device_clock import DeviceClock, too_large_in_words
from cyberhost_core.profiling.random_inputs import Size
from cyberhost_core.profiling.random_model import random_model
from cyberhost_core.profiling.segment_speed import SegmentConfig, measure_segment
from cyberhost_core.systems.cyberhost import tiny, without_face_ram, without_hand_ram
from cyberhost_core.systems.model import SystemModel, on_meta

SMALL = without_face_ram(without_hand_ram(tiny()))
SPEC = SMALL.derive(height=64, width=48, unet=SMALL.unet.derive(channels=(16, 16)))
CPU = torch.device("cpu")
STAGES = ["reference picture", "motion frames, sound, map", "sampling", "decode"]


@pytest.fixture
def denoised(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, torch.dtype]]:
    """Rows and precision of every call of the denoiser."""
    seen: list[tuple[int, torch.dtype]] = []
    forward = UNet.forward

    def watched(network: UNet, x_NCHW: Tensor, *rest: Any) -> Tensor:
        if network.output:  # the ReferenceNet has none
            seen.append((len(x_NCHW), x_NCHW.dtype))
        return forward(network, x_NCHW, *rest)

    monkeypatch.setattr(UNet, "forward", watched)
    return seen


def test_every_step_runs_all_passes_in_the_precision_asked_for(denoised: list) -> None:
    config = SegmentConfig(size=Size.of(SPEC, frames=5), device=CPU, steps=3, decoded_frames=2, repeats=2)
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    report = measure_segment(SPEC, usual_autoencoder(SPEC), config=config, dtypes=dtypes)
    calls = 2 + 2 * 3  # 2 steps to warm up, then 2 runs of 3
    assert denoised == [(3 * 5, torch.float32)] * calls + [(3 * 5, torch.bfloat16)] * calls
    assert [(row.dtype, row.stage) for row in report.rows] == [
        (dtype, stage) for dtype in dtypes for stage in STAGES
    ]
    assert all(row.seconds > 0 and row.peak_mib is None for row in report.rows)
    seconds = {row.stage: row.seconds for row in report.rows if row.dtype == "bf16"}
    assert report.frames_per_second["bf16"] == pytest.approx(5 / (sum(seconds.values()) - seconds[STAGES[0]]))
    assert "5 frames, 3 steps of 3 guidance passes, random weights" in report.title


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_random_model_is_a_whole_one_in_one_precision(dtype: torch.dtype) -> None:
    model = random_model(SPEC, dtype=dtype, device=CPU)
    shapes = {name: value.shape for name, value in on_meta(SPEC).state_dict().items()}
    assert {name: value.shape for name, value in model.state_dict().items()} == shapes
    assert {value.dtype for value in model.parameters()} == {dtype}
    assert all(value.isfinite().all() for value in model.parameters())
    plain = dict(SystemModel(SPEC).named_buffers())
    assert plain
    assert all(torch.equal(value, plain[name]) for name, value in model.named_buffers())


def test_what_a_random_model_predicts_is_of_ordinary_size(denoised: list, clips: Any) -> None:
    told = clips(random_model(SPEC, dtype=torch.float32, device=CPU), count=1)
    with torch.no_grad():
        spread = float(told.predict(told.conditions(motion=True)).std())
    assert 0.05 < spread < 50


def test_the_command_times_the_weights_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], denoised: list
) -> None:
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, Checkpoint(model=SystemModel(SPEC), vae=None, audio_encoder=None))
    options = "--dtype fp32 --device cpu --steps 1 --frames 2 --quiet --json"
    assert main(["evaluate", "segment", "--checkpoint", str(path), *options.split()]) == OK
    report = json.loads(capsys.readouterr().out)
    assert str(path) in report["title"]
    assert [row["stage"] for row in report["rows"]] == STAGES
    assert denoised == [(6, torch.float32)] * 2


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, Checkpoint(model=SystemModel(SPEC), vae=None, audio_encoder=None))
    options = f"-c {path} --dtype bf16 --device cpu --steps 1 --frames 2"
    assert main(["evaluate", "segment", *options.split()]) == OK
    printed = capsys.readouterr().out
    assert "frames per second, without the reference picture" in printed
    assert all(stage in printed for stage in STAGES)


@pytest.mark.parametrize("name", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there_ends_in_one_sentence(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "segment", "--system", "cyberhost-tiny", "--device", name]) == UNUSABLE
    message = capsys.readouterr().err
    assert f"The device '{name}' cannot be used" in message
    assert message.count("\n") == 1


def test_running_out_of_memory_ends_in_one_sentence() -> None:
    refused = pytest.raises(
        ConfigError, match="does not fit into the memory of 'cuda'; ask 'cyberhost memory'"
    )
    with refused, too_large_in_words(torch.device("cuda")):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB.")


def test_without_a_name_the_cpu_is_taken_where_there_is_no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert usable_device(None) == CPU


def test_a_stage_that_runs_twice_has_two_times(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 5.0, 7.0])
    monkeypatch.setattr(device_clock.time, "perf_counter", lambda: next(now))
    clock = DeviceClock(CPU)
    assert clock.time("decode", lambda: 3) == 3
    clock.time("decode", lambda: 4)
    assert clock.seconds == {"decode": [1.0, 2.0]}
    assert clock.peak_mib("decode") is None
