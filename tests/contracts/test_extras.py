"""Packages and code agree: whatever an extra names is used, and whatever is imported comes with an extra."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
FOR_DEVELOPERS = ("dev", "e2e")

# Packages whose module has another name than they have
MODULES = {
    "onnxruntime-gpu": "onnxruntime",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "tensorboard": "torch.utils.tensorboard",
}
# Packages that are run, not imported, and what of them stands in the Makefile
COMMANDS = {
    "pyright": "bin/pyright",
    "pytest-random-order": "--random-order",
    "pytest-xdist": "-n ",
    "ruff": "bin/ruff",
}
# What only a running ComfyUI has, and the names under which tests/host loads this repository into one
HOST = {
    "comfy",
    "comfy_api",
    "comfy_extras",
    "folder_paths",
    "inside",
    "latent_preview",
    "nodes",
    "pack",
    "server",
}
IN_THE_HOST = (ROOT / "nodes", ROOT / "tests" / "host")


def names_of(requirements: list[str]) -> list[str]:
    return [re.split(r"[<>=~\[; ]", requirement)[0] for requirement in requirements]


def module_of(package: str) -> str:
    return MODULES.get(package, package.replace("-", "_"))


def imports(path: Path) -> Iterator[str]:
    """Give the dotted names of all that a file imports from outside, by statement or by name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            name = node.args[0].value
            if called in ("import_module", "importorskip") and not name.startswith("."):
                yield name


def imported(*folders: str) -> dict[Path, set[str]]:
    return {path: set(imports(path)) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))}


def is_used(module: str, names: set[str]) -> bool:
    return any(f"{name}.".startswith(f"{module}.") for name in names)


DECLARED = [(extra, package) for extra, requirements in EXTRAS.items() for package in names_of(requirements)]
IN_CORE = set().union(*imported("cyberhost_core").values())
IN_TESTS = set().union(*imported("tests").values())


@pytest.mark.parametrize(("extra", "package"), [pair for pair in DECLARED if pair[0] not in FOR_DEVELOPERS])
def test_a_package_of_a_users_extra_is_imported_by_the_library(extra: str, package: str) -> None:
    assert is_used(module_of(package), IN_CORE), f"nothing uses {package}: take it out of the extra {extra}"


@pytest.mark.parametrize(("extra", "package"), [pair for pair in DECLARED if pair[0] in FOR_DEVELOPERS])
def test_a_package_for_developers_is_imported_by_tests_or_run_by_the_makefile(
    extra: str, package: str
) -> None:
    if package in COMMANDS:
        used = COMMANDS[package] in (ROOT / "Makefile").read_text(encoding="utf-8")
    else:
        used = is_used(module_of(package), IN_TESTS)
    assert used, f"nothing uses {package}: take it out of the extra {extra}"


def test_whatever_is_imported_comes_with_an_extra() -> None:
    brought = {module_of(package).split(".")[0] for _, package in DECLARED}
    known = brought | sys.stdlib_module_names | {"cyberhost_core", "tests"}
    strays = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, names in imported("cyberhost_core", "nodes", "tests").items()
        for name in names
        if (top := name.split(".")[0]) not in known
        and not (top in HOST and any(path.is_relative_to(folder) for folder in IN_THE_HOST))
        and not path.with_name(f"{top}.py").exists()  # a script beside it
    }
    assert strays == set()
