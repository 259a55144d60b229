"""ComfyUI's node API, as every node file imports it.

What this ComfyUI does not know yet of a schema is left out, so that newer words can be used where they are.
"""

from dataclasses import fields
from inspect import signature
from typing import Any

try:
    from comfy_api.v0_0_2 import ComfyExtension, io, ui
except ImportError as error:
    raise ImportError(
        "CyberHost needs ComfyUI 0.3.64 or newer (its node API V3 was not found); "
        "update ComfyUI and start it again."
    ) from error

__all__ = ["RARELY_TOUCHED", "ComfyExtension", "io", "schema", "ui"]

_INPUT_WORDS = signature(io.Int.Input).parameters

# for an input, io.Int.Input("person", **RARELY_TOUCHED): a newer frontend folds it away
RARELY_TOUCHED: dict[str, Any] = {"advanced": True} if "advanced" in _INPUT_WORDS else {}


def schema(**described: Any) -> io.Schema:
    """Build a node's schema from the fields that this ComfyUI knows.

    Worth knowing: search_aliases, other words that find the node; has_intermediate_output, what the node
    shows comes back after a reload also when a run takes it from the cache.
    """
    known = {field.name for field in fields(io.Schema)}
    return io.Schema(**{name: value for name, value in described.items() if name in known})
