"""Turn a saved workflow into the prompt that the server runs, as the frontend does when Run is pressed.

    nodes, links, widgets_values (UI format) + /object_info -> {node id: {class_type, inputs}}

Widget values are saved by position only, so the order in which the frontend makes widgets is what counts:
required inputs, then optional ones; a combo that unfolds is followed by the inputs of the chosen option; a
seed is followed by what becomes of it after a run.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

FRONTEND_ONLY = ("Note", "MarkdownNote", "Reroute")  # the server does not know these
MUTED, BYPASSED = 2, 4
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
WIDGETS = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False, "COMBO": None, DYNAMIC_COMBO: None}
UPLOADS = {
    "image_upload": 1,
    "video_upload": 1,
    "audio_upload": 2,
}  # widgets that the frontend adds at the end


class GraphError(ValueError):
    """A workflow that the frontend could not turn into a prompt."""


def prompt_from_workflow(workflow: dict, object_info: dict) -> dict[str, dict]:
    """Convert a workflow; muted and bypassed nodes, notes and reroutes are left out.

    Raises:   GraphError: a node that the server does not know, or more widget values than it has widgets
    """
    nodes = {node["id"]: node for node in workflow["nodes"]}
    links = {link[0]: link for link in workflow["links"]}
    running = {
        key: node
        for key, node in nodes.items()
        if node["type"] not in FRONTEND_ONLY and node.get("mode", 0) not in (MUTED, BYPASSED)
    }
    prompt = {}
    for key, node in running.items():
        inputs = named_widget_values(node, object_info)
        for slot in node.get("inputs", []):
            origin = _origin(links.get(slot.get("link")), nodes, links)
            if origin and origin[0] in running:
                inputs[slot["name"]] = [str(origin[0]), origin[1]]
        prompt[str(key)] = {
            "class_type": node["type"],
            "inputs": inputs,
            "_meta": {"title": node.get("title", node["type"])},
        }
    return prompt


def named_widget_values(node: dict, object_info: dict) -> dict[str, Any]:
    """Give each saved widget value its name; a widget that was not saved yet keeps its default."""
    return {name: value for name, value, _ in widgets(node, object_info)}


def widgets(node: dict, object_info: dict) -> list[tuple[str, Any, bool]]:
    """List each widget's name, its value, and whether that was saved, in the frontend's order."""
    if node["type"] not in object_info:
        raise GraphError(f"The server knows no node {node['type']} (node {node['id']}).")
    saved = deque(node.get("widgets_values") or [])
    declared = _both(object_info[node["type"]]["input"])
    made = [widget for name, spec in declared for widget in _made(name, spec, saved)]
    for flag, count in UPLOADS.items():
        if any(_options(spec).get(flag) for _, spec in declared):
            _drop(saved, count)
    if saved:
        raise GraphError(f"{node['type']} (node {node['id']}) has {list(saved)} left after its last widget.")
    return made


def _made(name: str, spec: list, saved: deque) -> Iterator[tuple[str, Any, bool]]:
    kind, options = spec[0], _options(spec)
    if options.get("forceInput") or not (isinstance(kind, list) or kind in WIDGETS):
        return
    was_saved = bool(saved)
    value = saved.popleft() if saved else _default(kind, options)
    yield name, value, was_saved
    if kind == "INT" and (options.get("control_after_generate") or name in ("seed", "noise_seed")):
        _drop(saved, 1)
    if kind == DYNAMIC_COMBO:
        chosen = next(option["inputs"] for option in options["options"] if option["key"] == value)
        for inner, inner_spec in _both(chosen):
            yield from _made(f"{name}.{inner}", inner_spec, saved)


def _drop(saved: deque, count: int) -> None:
    for _ in range(min(count, len(saved))):
        saved.popleft()


def _default(kind: Any, options: dict) -> Any:
    if "default" in options:
        return options["default"]
    choices = kind if isinstance(kind, list) else options.get("options", [])
    first = choices[0] if choices else None
    return first["key"] if kind == DYNAMIC_COMBO else first if choices else WIDGETS.get(str(kind))


def _both(declared: dict) -> list[tuple[str, list]]:
    return [item for group in ("required", "optional") for item in declared.get(group, {}).items()]


def _options(spec: list) -> dict:
    return spec[1] if len(spec) > 1 else {}


def _origin(link: list | None, nodes: dict, links: dict) -> tuple[int, int] | None:
    """Follow a link up to the node that really makes the value; through a bypassed node by its type."""
    while link:
        _, origin, slot, _, _, kind = link
        node = nodes[origin]
        if node["type"] == "Reroute":
            passed = node["inputs"][:1]
        elif node.get("mode", 0) == BYPASSED:
            passed = [entry for entry in node.get("inputs", []) if entry["type"] == kind][:1]
        else:
            return origin, slot
        link = links.get(passed[0].get("link")) if passed else None
    return None
