"""Give the browser tests a real ComfyUI and a real browser, each started once."""

import shutil
from collections.abc import Iterator

import pytest

from ..host.server import Client, Server, checkout

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    found = checkout("newest")
    if reason := found.missing():
        pytest.skip(reason)
    with Server(found, tmp_path_factory.mktemp("browser") / "comfyui") as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install 'cyberhost[e2e]'"
    )
    program = shutil.which("chromium")
    if not program:
        pytest.skip("no chromium on the path")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()
