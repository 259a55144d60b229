"""The talking-body template in a real browser: choose the movement box, run, see the video, reload."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..host.server import Client

if TYPE_CHECKING:
    from .page import Page

pytestmark = pytest.mark.browser

MAP = "CyberHostMovementMap"


def box_of(page: "Page") -> list[float]:
    return [float(number) for number in page.widget(MAP, "box").split(",")]


def make_it_short(page: "Page") -> None:
    page.set_widget("BasicScheduler", "steps", 1)
    page.set_widget("CyberHostExample", "voice", "train_08.ogg")  # the shortest one


def boxes_of_last_run(host: Client) -> list[str]:
    (ran,) = host.get("/history?max_items=1").values()
    return [node["inputs"]["box"] for node in ran["prompt"][2].values() if node["class_type"] == MAP]


def on(version: str, *renderers: str) -> Callable[[Callable], Callable]:
    """Run a test on one ComfyUI; apart, so that its server is kept for the next test."""
    host = pytest.mark.parametrize("host", [version], indirect=True)
    page = pytest.mark.parametrize("page", renderers, indirect=True)
    return lambda test: host(page(test))


def draw_run_and_reload(page: "Page", host: Client, picture: Path) -> None:
    page.open_template("talking_body")
    page.show_whole_graph()
    page.wait_for_box("")  # on the portrait, before anything has run
    assert page.widget(MAP, "box") == ""

    page.drag_in_picture((20, 30), (70, 90))
    assert box_of(page) == pytest.approx([20, 30, 70, 90], abs=1.5)  # a pixel of the screen is more than one
    page.drag_in_picture((45, 60), (55, 65))
    assert box_of(page) == pytest.approx([30, 35, 80, 95], abs=2)
    drawn = page.widget(MAP, "box")

    make_it_short(page)
    page.run()
    page.wait_for_videos()
    page.screenshot(picture)
    assert boxes_of_last_run(host) == [drawn]

    page.reload()
    assert page.widget(MAP, "box") == drawn
    page.show_whole_graph()
    page.wait_for_box(drawn)
    assert page.errors == []


@on("newest", "classic", "new")
def test_a_box_is_drawn_used_and_kept_and_the_video_is_seen(page: "Page", host: Client, tmp_path: Path):
    draw_run_and_reload(page, host, tmp_path / "talking-body.png")


@on("floor", "classic")
def test_a_box_is_drawn_used_and_kept_on_the_oldest_comfyui(page: "Page", host: Client, tmp_path: Path):
    draw_run_and_reload(page, host, tmp_path / "talking-body.png")


@on("floor", "new")
def test_where_the_page_shows_no_panels_the_box_is_typed(page: "Page", host: Client, tmp_path: Path):
    """The new renderer of frontend 1.27, a hidden setting then, shows no DOM widget of anyone."""
    typed = "30,35,80,95"
    page.open_template("talking_body")
    page.show_node(MAP)
    field = page.text_field("box")
    assert field.input_value() == ""
    assert page.box_panel.count() == 0
    field.fill(typed)
    assert page.widget(MAP, "box") == typed

    make_it_short(page)
    page.run()
    assert boxes_of_last_run(host) == [typed]
    page.show_node("SaveVideo")
    assert page.tab.locator("video").count() == 0  # not even ComfyUI's own player

    page.reload()
    page.show_node(MAP)
    assert page.text_field("box").input_value() == page.widget(MAP, "box") == typed
    page.tab.screenshot(path=tmp_path / "typed-box.png")
    assert page.errors == []
