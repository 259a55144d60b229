"""Give every host test a real ComfyUI: the newest, then the oldest that is supported, each started once."""

from collections.abc import Iterator

import pytest

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
