"""Give every host test a real ComfyUI: the newest, then the oldest that is supported, each started once."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .public_weights import convert_all
from .server import VERSIONS, Client, Server, checkout


@pytest.fixture(scope="session", params=VERSIONS)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    found = checkout(request.param)
    if reason := found.missing():
        pytest.skip(reason)
    with Server(found, tmp_path_factory.mktemp(request.param) / "comfyui") as client:
        yield client


@pytest.fixture(scope="session", params=VERSIONS)
def inside(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Run a function of a test file in a ComfyUI's own Python, see inside.py; gives what it returns."""
    found = checkout(request.param)
    if reason := found.missing():
        pytest.skip(reason)

    def run(function: Callable[..., Any], *arguments: object) -> Any:
        file = function.__code__.co_filename
        command = [found.python, Path(__file__).with_name("inside.py"), file, function.__name__]
        ran = subprocess.run(
            [*map(str, command), *map(str, arguments)],
            cwd=found.folder,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout.splitlines()[-1])

    return run


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for a host needs one, also in a file whose other tests do not."""
    for item in items:
        if {"host", "inside"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def object_info(host: Client) -> dict[str, dict]:
    return host.object_info()


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return convert_all(tmp_path_factory.mktemp("public"))


@pytest.fixture(scope="session")
def public(host: Client, converted: dict[str, Path]) -> dict[str, Path]:
    """The public models, converted and put where Load CyberHost finds them, by kind."""
    for path in converted.values():
        host.add_model("cyberhost", path)
    return converted
