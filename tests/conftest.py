"""Make cyberhost_core importable from a plain checkout.

The repository's root must stay off sys.path: its folder `nodes` would hide ComfyUI's module of that name.
"""

import importlib.util
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "cyberhost_core"

if importlib.util.find_spec("cyberhost_core") is None:
    spec = importlib.util.spec_from_file_location(
        "cyberhost_core", PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)]
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["cyberhost_core"] = module
    spec.loader.exec_module(module)
