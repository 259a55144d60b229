"""The true full-size model runs once; opt in with `pytest -m weights`: some 5 GB and some minutes."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

NEEDED = 8 << 30
RUN = Path(__file__).with_name("run_full_size.py")


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.skipif(psutil.virtual_memory().available < NEEDED, reason="needs 8 GiB of free memory")
def test_one_forward_of_the_papers_model() -> None:
    """2.27 G random weights in bf16, 64 x 64 pixels, 2 frames and 4 motion frames, one pass; -s shows it."""
    run = subprocess.run([sys.executable, str(RUN)], check=True, capture_output=True, text=True)
    found = json.loads(run.stdout)
    print(found)  # noqa: T201 - the note of the run
    assert found["parameters"] == pytest.approx(2.27e9, rel=0.01)
    assert found["shape"] == [2, 4, 8, 8]
    assert found["finite"]
    assert found["anonymous_peak_mib"] < 1.2 * found["weights_mib"]
