"""The talking-body template in a real browser, in both renderers: draw the box, run, reload."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..host.server import Client

if TYPE_CHECKING:
    from .page import Page

pytestmark = pytest.mark.browser

MAP = "CyberHostMovementMap"


@pytest.fixture(params=[False, True], ids=["classic renderer", "new renderer"])
def page(request: pytest.FixtureRequest, browser, host: Client) -> Iterator["Page"]:
    from .page import Page  # only here: playwright may be missing

    page = Page(browser, host, new_renderer=request.param)
    yield page
    page.tab.close()


def box_of(page: "Page") -> list[float]:
    return [float(number) for number in page.widget(MAP, "box").split(",")]


def test_a_box_is_drawn_used_and_kept_and_the_video_is_seen(
    page: "Page", host: Client, tmp_path: Path, request: pytest.FixtureRequest
):
    assert page.has_new_renderer() == ("new renderer" in request.node.name)

    page.open_template("talking_body")
    page.show_whole_graph()
    page.wait_for_box("")  # on the portrait, before anything has run
    assert page.widget(MAP, "box") == ""

    page.drag_in_picture((20, 30), (70, 90))
    assert box_of(page) == pytest.approx([20, 30, 70, 90], abs=1.5)  # a pixel of the screen is more than one
    page.drag_in_picture((45, 60), (55, 65))
    assert box_of(page) == pytest.approx([30, 35, 80, 95], abs=2)
    drawn = page.widget(MAP, "box")

    page.set_widget("BasicScheduler", "steps", 2)
    page.set_widget("CyberHostExample", "voice", "train_08.ogg")  # the shortest one
    page.run()
    page.screenshot(tmp_path / "talking-body.png")
    (ran,) = list(host.get("/history?max_items=1").values())
    assert [node["inputs"]["box"] for node in ran["prompt"][2].values() if node["class_type"] == MAP] == [
        drawn
    ]

    page.reload()
    assert page.widget(MAP, "box") == drawn
    page.show_whole_graph()
    page.wait_for_box(drawn)
    assert page.errors == []
