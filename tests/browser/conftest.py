"""Give the browser tests a real ComfyUI and a real browser, each started once.

A test says by parametrize which ComfyUI it wants, and which renderer of its frontend.
"""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ..host.server import Client, Server, checkout

if TYPE_CHECKING:
    from .page import Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    found = checkout(request.param)
    if reason := found.missing():
        pytest.skip(reason)
    with Server(found, tmp_path_factory.mktemp(f"browser-{request.param}") / "comfyui") as client:
        yield client


@pytest.fixture
def page(request: pytest.FixtureRequest, browser, host: Client) -> Iterator["Page"]:
    """An open tab, with the renderer "classic" or "new"."""
    from .page import Page  # only here: playwright may be missing

    page = Page(browser, host, new_renderer=request.param == "new")
    yield page
    page.tab.close()


@pytest.fixture(scope="session")
def browser() -> Iterator:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install 'cyberhost[e2e]'"
    )
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if not program:
        pytest.skip(f"none of {', '.join(PROGRAMS)} is on the path")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()
