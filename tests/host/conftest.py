"""Give every host test a real ComfyUI: the newest, then the oldest that is supported, each started once."""

from collections.abc import Iterator
from pathlib import Path

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
