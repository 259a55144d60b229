"""What `make test` leaves out, and that .ci/run comes back for it."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARKERS = {
    line.split(":")[0]
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"][
        "ini_options"
    ]["markers"]
}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def variable(name: str) -> str:
    found = re.search(rf"^{name} = (.*)$", MAKEFILE, re.MULTILINE)
    assert found, name
    return found[1]


def test_make_test_leaves_out_all_that_is_marked() -> None:
    assert {"slow", *variable("APART").split(" or ")} == MARKERS
    assert variable("QUICK") == "not slow and not ($(APART))"


def test_slow_tests_are_run_before_a_change_is_merged() -> None:
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in commands if line.startswith("make test")] == [
        "make test || failed=1",
        "make test-slow || failed=1",
    ]
