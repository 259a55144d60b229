"""What the core imports when it is imported: nothing but the standard library and the extra `standalone`."""

import ast
import sys
from pathlib import Path

from cyberhost_core.cli.examination import EXTRAS

CORE = Path(__file__).parents[2] / "cyberhost_core"
STANDALONE = set(EXTRAS["standalone"].values())


def imported_at_once(path: Path) -> set[str]:
    """Name the packages that a module imports before anything of it is called."""
    found: set[str] = set()
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Import):
            found |= {name.name.split(".")[0] for name in statement.names}
        elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
            found.add(statement.module.split(".")[0])
    return found


def test_optional_packages_are_imported_where_they_are_used() -> None:
    modules = sorted(CORE.rglob("*.py"))
    early = {
        str(path.relative_to(CORE)): found
        for path in modules
        if (found := imported_at_once(path) - sys.stdlib_module_names - STANDALONE)
    }
    assert modules and early == {}
