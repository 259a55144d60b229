"""Rooms import only from those below them: no arrow upwards, no circle, in the core and in the pack."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE, PACK = ROOT / "cyberhost_core", ROOT / "nodes"
# Lowest first: a room imports from its own files and from rooms before it in this list.
FLOORS = (
    "errors", "config", "units", "types", "bundled", "media", "backbone", "diffusion", "guidance", "controls",
    "hands", "perception", "gesture", "data", "conditioners", "systems", "checkpoints", "sampling", "reports",
    "pipeline", "puppets", "training", "metrics", "profiling", "exams", "cli",
)  # fmt: skip


def imports(path: Path, root: Path) -> set[tuple[str, ...]]:
    """Name the modules of a package that a file imports, at once or later, as paths from its root."""
    found = set()
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.ImportFrom) and statement.level:
            base = path.relative_to(root).parts[: -statement.level]
            if statement.level > len(path.relative_to(root).parts):
                continue  # out of the package
            module = (*base, *(statement.module or "").split(".")) if statement.module else base
            found |= {target(root, module, name.name) for name in statement.names}
    return found


def target(root: Path, module: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The module itself, or the one of that name inside of it."""
    inner = root.joinpath(*module, name)
    return (*module, name) if inner.is_dir() or inner.with_suffix(".py").is_file() else module


def room(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py")


CORE_FILES = sorted(path for path in CORE.rglob("*.py") if path.parent != CORE or path.name != "__init__.py")


def test_every_room_has_its_floor() -> None:
    rooms = {room(path.relative_to(CORE).parts) for path in CORE_FILES}
    assert rooms == set(FLOORS)


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda path: str(path.relative_to(CORE)))
def test_a_room_imports_from_lower_floors_only(path: Path) -> None:
    own = room(path.relative_to(CORE).parts)
    wrong = {
        "/".join(module)
        for module in imports(path, CORE)
        if module and room(module) != own and FLOORS.index(room(module)) > FLOORS.index(own)
    }
    assert wrong == set()


@pytest.mark.parametrize("root", [CORE, PACK], ids=["core", "pack"])
def test_no_file_imports_itself_by_way_of_others(root: Path) -> None:
    graph = {}
    for path in root.rglob("*.py"):
        name = path.relative_to(root).with_suffix("").parts
        graph[name] = {
            module for module in imports(path, root) if root.joinpath(*module).with_suffix(".py").is_file()
        }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the files


def tables_of_contents() -> list[Path]:
    """Every package whose docstring says what its files hold; the nodes themselves are listed by ComfyUI."""
    packages = {path.parent for path in [*CORE.rglob("__init__.py"), *PACK.rglob("__init__.py")]}
    return sorted(packages - {CORE, PACK})


@pytest.mark.parametrize("package", tables_of_contents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_rooms_docstring_names_every_file_and_no_other(package: Path) -> None:
    words = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    there = {path.stem for path in package.glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in package.glob("*/__init__.py")}
    unnamed = there - set(re.findall(r"\w+", words))
    assert unnamed == set()
    listed = re.findall(r"^(\w+(?:, \w+)*)(?:\.py)?(?= {3})", words, re.MULTILINE)
    gone = {name for names in listed for name in names.split(", ")} - there
    assert gone == set()
