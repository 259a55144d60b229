"""Times are taken of real sampling that grows as it says, and every stage of a video has its row."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cyberhost_core.backbone.reference_net import ReferenceNet
from cyberhost_core.backbone.unet import UNet
from cyberhost_core.conditioners.values import NOTHING
from cyberhost_core.profiling import speed_growth, timing
from cyberhost_core.profiling.random_inputs import RandomInputs, Size
from cyberhost_core.profiling.speed import SpeedReport, stage_rows
from cyberhost_core.profiling.speed_growth import Growth, growth_rows
from cyberhost_core.profiling.timing import SpeedRow, median_seconds
from cyberhost_core.reports.machine import describe_machine
from cyberhost_core.sampling.track import Track
from cyberhost_core.systems.cyberhost import tiny, without_face_ram, without_hand_ram
from cyberhost_core.systems.model import SystemModel

SMALL = without_face_ram(without_hand_ram(tiny()))
SPEC = SMALL.derive(height=64, width=48, unet=SMALL.unet.derive(channels=(16, 16)))


def test_the_time_is_the_median_after_a_run_that_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    lasts, clock, runs = iter([9.0, 1.0, 5.0, 2.0]), [0.0], []

    def run() -> None:
        runs.append(clock[0])
        clock[0] += next(lasts)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    assert median_seconds(run, repeats=3) == 2.0
    assert len(runs) == 4


def test_the_runs_that_are_timed_grow_in_frames_in_steps_and_in_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work, forward = [0], UNet.forward

    def denoise(network: UNet, x_NCHW: torch.Tensor, *rest: Any) -> torch.Tensor:
        if isinstance(network, ReferenceNet):
            return forward(network, x_NCHW, *rest)
        work[0] += x_NCHW.numel()
        return x_NCHW

    def count(run: Callable[[], object], *, repeats: int) -> float:  # stands in for seconds, which jitter
        before = work[0]
        run()
        return work[0] - before

    monkeypatch.setattr(UNet, "forward", denoise)
    monkeypatch.setattr(speed_growth, "median_seconds", count)
    rows = growth_rows(SPEC, growth=Growth(segments=(1, 3), sizes=(2,), steps=(2, 8)), repeats=1)
    denoised = {row.name: row.seconds for row in rows}
    assert denoised["growth_30_frames"] == 3 * denoised["growth_10_frames"]
    assert denoised["growth_8_steps"] == 4 * denoised["growth_2_steps"]
    assert denoised["growth_128_x_96"] == 4 * denoised["growth_10_frames"]
    assert all("random weights" in row.comment for row in rows)


def test_the_sum_per_frame_is_that_of_its_stages() -> None:
    torch.manual_seed(0)
    model = SystemModel(SPEC).eval().requires_grad_(False)
    inputs = RandomInputs(
        spec=SPEC, size=Size.of(SPEC, frames=20), device=torch.device("cpu"), dtype=torch.float32
    )
    with torch.inference_mode():
        reference = inputs.reference(model)
    track = Track(frames=40, values={name: value[0] for name, value in inputs.drive(NOTHING).values.items()})
    talker = SimpleNamespace(
        spec=SPEC,
        model=model,
        portrait=lambda _image: None,
        reference=lambda _portrait: reference,
        track=lambda *_: track,
        decode=lambda latents: np.zeros((len(latents), 64, 48, 3), np.uint8),
    )
    rows = {row.name: row for row in stage_rows(talker, repeats=1)}  # type: ignore[arg-type]
    per_frame = sum(rows[name].seconds for name in ("speech", "decode", "write"))
    steps = SPEC.schedule.steps
    assert rows["whole"].seconds == pytest.approx(per_frame + rows["step"].seconds * steps / 10)
    assert rows["step"].seconds > 0.001
    assert "12 frames, 10 of them kept; 3 guidance passes" in rows["step"].comment


def test_a_speed_report_names_the_machine_in_both_forms() -> None:
    row = SpeedRow(name="step", label="sampling", seconds=0.25, unit="step")
    report = SpeedReport(title="Speed", machine=describe_machine(), rows=[row], peak_memory_mb=512.4)
    assert "0.2500  step" in report.to_text()
    assert "peak memory 512 MB" in report.to_text()
    read = json.loads(report.to_json())
    assert read["rows"][0]["seconds"] == 0.25
    assert f"torch {torch.__version__}" in read["machine"]
    assert read["machine"] in report.to_text()
