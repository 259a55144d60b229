"""The page of a running server, as an artist uses it: templates, widgets, Run, the movement box."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Locator, expect
from playwright.sync_api import Page as Tab

from ..host.server import Client

START_MS = 120_000  # the first page after a start, on two busy cores
RUN_MS = 240_000
USUAL_MS = 90_000  # whatever else is waited for; beside other tests a page has stood still for 30 s
PICTURE = (96, 128)  # the tiny model's, width and height
OURS = "cyberhost"


class Page:
    """One open tab; `errors` collects what this pack did wrong in it.

    new_renderer: the frontend's "Nodes 2.0", Vue components instead of one drawn canvas
    """

    def __init__(self, browser: Browser, client: Client, *, new_renderer: bool) -> None:
        self.errors: list[str] = []
        settings = {
            "Comfy.VueNodes.Enabled": new_renderer,
            "Comfy.TutorialCompleted": True,
            "Comfy.Minimap.Visible": False,
            "LiteGraph.Canvas.MinFontSizeForLOD": 0,  # words stay readable in a screenshot of the whole graph
        }
        client.post("/settings", settings)
        self.tab: Tab = browser.new_page(viewport={"width": 1600, "height": 1000})
        self.tab.set_default_timeout(USUAL_MS)
        self.tab.on(
            "console", lambda told: told.type == "error" and self._note(told.text, told.location["url"])
        )
        self.tab.on("pageerror", lambda error: self._note(str(error), _stack(error)))
        self.tab.on("dialog", lambda dialog: dialog.accept())  # "leave this page?"
        self.tab.goto(client.address)
        self._wait_until_it_is_ready()
        assert self.tab.evaluate("() => Boolean(window.LiteGraph.vueNodesMode)") == new_renderer

    @property
    def box_panel(self) -> Locator:
        return self.tab.get_by_test_id("cyberhost-movement-box")

    @property
    def run_button(self) -> Locator:
        return self.tab.get_by_test_id("queue-button")

    def reload(self) -> None:
        self.tab.reload()
        self._wait_until_it_is_ready()

    def open_template(self, name: str) -> None:
        """Choose Templates, our name, and the picture of a workflow."""
        self._command("Comfy.BrowseTemplates", wait=False)
        self.tab.get_by_role("dialog").get_by_text(OURS, exact=True).click()
        self.tab.get_by_test_id(f"template-workflow-{name}").click()
        self.tab.wait_for_function("() => window.app.graph.nodes.length > 5")

    def show_whole_graph(self) -> None:
        self.tab.evaluate("() => window.app.canvas.deselectAll()")  # or only the chosen node would be shown
        self._fit()

    def show_node(self, kind: str) -> None:
        """Bring the only node of a kind close enough to work on it."""
        self.tab.evaluate(f"(kind) => {{ window.app.canvas.deselectAll(); {_SELECT}; }}", kind)
        self._fit()

    def text_field(self, name: str) -> Locator:
        """The field of a text widget; only in the new renderer, where widgets are parts of the page."""
        label = re.compile(rf"^\s*{re.escape(name)}\s*$")
        return self.tab.locator(".lg-widget-container", has_text=label).get_by_role("textbox")

    def widget(self, kind: str, name: str) -> Any:
        """The value of a widget of the only node of a kind."""
        return self.tab.evaluate(f"([kind, name]) => {_WIDGET}.value", [kind, name])

    def set_widget(self, kind: str, name: str, value: Any) -> None:
        self.tab.evaluate(
            f"([kind, name, value]) => {{ const widget = {_WIDGET};"
            " widget.value = value; widget.callback?.(value); }",
            [kind, name, value],
        )

    def wait_for_box(self, text: str) -> None:
        """Wait until the panel shows the portrait (more than 200 colours) and the box of this text."""
        expect(self.box_panel).to_be_visible()
        expect(self.box_panel).to_have_attribute("data-box", text)
        expect(self.box_panel).to_have_attribute("data-ready", "true")
        self.tab.wait_for_function(
            "(canvas) => new Set(new Uint32Array(canvas.getContext('2d')"
            ".getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size > 200",
            arg=self.box_panel.locator("canvas").element_handle(),
        )

    def drag_in_picture(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag on the movement box panel from one pixel of the reference picture to another."""
        self.tab.mouse.move(*self._on_screen(start))
        self.tab.mouse.down()
        self.tab.mouse.move(*self._on_screen(end), steps=5)
        self.tab.mouse.up()

    def run(self) -> None:
        """Press Run and wait for the end, which must be a good one."""
        self.tab.evaluate(_LISTEN)
        self.run_button.click()
        end = self.tab.wait_for_function("() => window.endOfRun", timeout=RUN_MS).json_value()
        assert end == "execution_success"

    def wait_for_videos(self) -> None:
        """Wait until the videos of the graph can be seen."""
        expect(self.tab.locator("video").first).to_be_visible()
        self.tab.wait_for_function("() => [...document.querySelectorAll('video')].every((x) => x.videoWidth)")

    def screenshot(self, path: Path) -> None:
        self.show_whole_graph()
        self.tab.screenshot(path=path)

    def _on_screen(self, point: tuple[float, float]) -> tuple[float, float]:
        """Where a pixel of the picture lies: whole and centred in the panel."""
        seen = self.box_panel.locator("canvas").bounding_box()
        assert seen
        scale = min(seen["width"] / PICTURE[0], seen["height"] / PICTURE[1])
        left = seen["x"] + (seen["width"] - PICTURE[0] * scale) / 2
        top = seen["y"] + (seen["height"] - PICTURE[1] * scale) / 2
        return left + point[0] * scale, top + point[1] * scale

    def _fit(self) -> None:
        self._command("Comfy.Canvas.FitView")
        self.tab.wait_for_timeout(1500)  # it glides there

    def _command(self, name: str, *, wait: bool = True) -> None:
        call = "(name) => window.app.extensionManager.command.execute(name)"
        self.tab.evaluate(call if wait else f"(name) => void ({call})(name)", name)

    def _wait_until_it_is_ready(self) -> None:
        self.tab.wait_for_function(
            "() => window.app?.extensionManager && window.app.canvas", timeout=START_MS
        )
        expect(self.run_button).to_be_visible(timeout=START_MS)
        self.tab.wait_for_function("() => window.app.graph.nodes.length > 0")  # it begins with some workflow

    def _note(self, text: str, place: str) -> None:
        if OURS in f"{text} {place}".lower():
            self.errors.append(f"{text} ({place})")


_NODE = "window.app.graph.nodes.find((node) => node.type === kind)"
_WIDGET = f"{_NODE}.widgets.find((widget) => widget.name === name)"
_SELECT = f"window.app.canvas.selectNode({_NODE})"
_LISTEN = """() => {
    window.endOfRun = null;
    for (const end of ["execution_success", "execution_error", "execution_interrupted"])
        window.app.api.addEventListener(end, () => { window.endOfRun = end; }, { once: true });
}"""


def _stack(error: Error) -> str:
    return error.stack or ""
