"""Make cyberhost_core importable from a plain checkout, and every test's random numbers repeatable.

The repository's root must stay off sys.path: its folder `nodes` would hide ComfyUI's module of that name.
"""

import importlib.util
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

PACKAGE = Path(__file__).parents[1] / "cyberhost_core"

if importlib.util.find_spec("cyberhost_core") is None:
    spec = importlib.util.spec_from_file_location(
        "cyberhost_core", PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)]
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["cyberhost_core"] = module
    spec.loader.exec_module(module)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=0, help="what every test's random numbers start from")


@pytest.fixture(autouse=True)
def seeded(request: pytest.FixtureRequest) -> None:
    """Start all three generators anew, so that a test's numbers depend on no test before it."""
    seed = request.config.getoption("--seed")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
