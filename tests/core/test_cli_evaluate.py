"""`cyberhost evaluate`: options arrive, both forms are printed, --strict decides the exit code."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cyberhost_core import bundled
from cyberhost_core.cli.main import OK, UNUSABLE, main
from cyberhost_core.exams.puppets import bench
from cyberhost_core.exams.puppets.bench import BenchConfig
from cyberhost_core.profiling import speed
from cyberhost_core.profiling.speed import SpeedReport
from cyberhost_core.profiling.timing import SpeedRow
from cyberhost_core.reports.tables import BenchReport, Target, make_row


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """Stand in for both benches; lip sync misses its target."""
    seen = SimpleNamespace(calls=[])
    rows = [make_row("lip_sync", "lip sync", 0.5, target=Target("at least", 0.75))]

    def evaluate_puppets(path: Path, **given: Any) -> BenchReport:
        seen.calls.append((path, given["config"]))
        return BenchReport(title="Bench", machine="here", settings={}, rows=rows)

    def measure_speed(path: Path, **given: Any) -> SpeedReport:
        seen.calls.append((path, given["config"]))
        row = SpeedRow(name="step", label="sampling", seconds=0.5, unit="step")
        return SpeedReport(title="Speed", machine="here", rows=[row], peak_memory_mb=1)

    monkeypatch.setattr(bench, "evaluate_puppets", evaluate_puppets)
    monkeypatch.setattr(speed, "measure_speed", measure_speed)
    weights = tmp_path / "tiny.safetensors"
    weights.write_bytes(b"weights")
    monkeypatch.setattr(bundled, "CHECKPOINT", weights)
    return seen


def test_without_options_the_bundled_weights_get_the_whole_bench(core: SimpleNamespace) -> None:
    assert main(["evaluate", "puppets", "--quiet"]) == OK
    assert core.calls == [(bundled.CHECKPOINT, BenchConfig())]


def test_quick_is_small_and_every_other_option_still_counts(core: SimpleNamespace) -> None:
    assert main(["evaluate", "puppets", "--quick"]) == OK
    options = "--quick --clips 1 --frames 30 --seed 4 --steps 7 --checkpoint own.safetensors"
    assert main(["evaluate", "puppets", *options.split()]) == OK
    (_, quick), (path, changed) = core.calls
    assert quick == BenchConfig.quick()
    assert (quick.clips, quick.frames) == (3, 24)
    assert path == Path("own.safetensors")
    assert (changed.clips, changed.frames, changed.seed, changed.steps) == (1, 30, 4, 7)


def test_fewer_clips_than_extras_lower_the_extras(core: SimpleNamespace) -> None:
    assert main(["evaluate", "puppets", "--clips", "2"]) == OK
    assert (core.calls[0][1].movement_clips, core.calls[0][1].clarity_clips) == (2, 2)


@pytest.mark.parametrize(("strict", "code"), [([], 0), (["--strict"], 1)])
def test_a_missed_target_fails_only_when_asked_to(
    core: SimpleNamespace, strict: list[str], code: int
) -> None:
    assert main(["evaluate", "puppets", *strict]) == code


def test_both_reports_come_as_a_table_and_as_json(
    core: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "puppets"]) == OK
    assert "0 of 1 targets reached" in capsys.readouterr().out
    assert main(["evaluate", "puppets", "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["rows"][0]["name"] == "lip_sync"
    assert main(["evaluate", "speed"]) == OK
    assert "sampling" in capsys.readouterr().out
    assert main(["evaluate", "speed", "--json", "--repeats", "1"]) == OK
    assert json.loads(capsys.readouterr().out)["rows"][0]["seconds"] == 0.5
    assert core.calls[-1][1].repeats == 1


def test_a_bench_that_cannot_be_shot_and_weights_that_are_missing_end_in_one_sentence(
    core: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "puppets", "--clips", "101"]) == UNUSABLE
    monkeypatch.setattr(bundled, "CHECKPOINT", Path("/nowhere/tiny.safetensors"))
    capsys.readouterr()
    for what in ("puppets", "speed"):
        assert main(["evaluate", what]) == UNUSABLE
        assert "tiny.safetensors is missing" in capsys.readouterr().err
