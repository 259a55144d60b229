"""What the core imports when it is imported: nothing but the standard library and the extra `standalone`."""

import ast
import sys
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "cyberhost_core"
STANDALONE = {
    "PIL", "av", "diffusers", "einops", "numpy", "pydantic", "safetensors", "soundfile", "torch", "tqdm",
    "transformers", "typer", "yaml",
}  # fmt: skip


def imported_at_once(path: Path) -> set[str]:
    """Name the packages that a module imports before anything of it is called."""
    found: set[str] = set()
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Import):
            found |= {name.name.split(".")[0] for name in statement.names}
        elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
            found.add(statement.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_optional_packages_are_imported_where_they_are_used(path: Path) -> None:
    assert imported_at_once(path) - sys.stdlib_module_names - STANDALONE == set()
