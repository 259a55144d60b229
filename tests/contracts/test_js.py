"""The browser side's own tests, run by node."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="needs node (20.6 or newer) for the tests of js/")
def test_logic_of_the_widgets():
    tests = sorted(map(str, (ROOT / "tests" / "js").glob("*.test.mjs")))
    assert tests
    ran = subprocess.run(
        [str(NODE), "--test", *tests], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
