"""Processes on the cores of a CPU train one model together, with the command that the docs print."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cyberhost_core.systems.cyberhost import tiny

ROOT = Path(__file__).parents[2]
SMALL = ["--steps", "2", "--set", "video.sampling.clips=1", "--set", "video.workers=0"]
TWO = ["-m", "torch.distributed.run", "--nproc_per_node", "2"]  # what the command torchrun runs


@pytest.mark.slow
def test_two_processes_train_one_model(make_store: Callable, tmp_path: Path) -> None:
    """The first loss is that of rank 0's clips before any step; after a step, rank 1's have counted, too."""
    store = make_store(tiny()).folder

    def losses(name: str, launcher: list[str]) -> list[float]:
        command = [sys.executable, *launcher, "-m", "cyberhost_core.cli", "train", "video", str(store)]
        told = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        subprocess.run([*command, str(tmp_path / name), *SMALL], check=True, env=told, capture_output=True)
        lines = (tmp_path / name / "log.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [1, 2], "one log, of one run"
        return [json.loads(line)["denoising"] for line in lines]

    alone, together = losses("alone", []), losses("together", TWO)
    assert together[0] == pytest.approx(alone[0], rel=1e-5)
    assert together[1] != pytest.approx(alone[1], rel=1e-5)
