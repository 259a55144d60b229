"""ComfyUI's node API, as every node file imports it.

Schema fields that this ComfyUI does not know yet are left out, so that newer ones can be used where they are.
"""

from dataclasses import fields
from typing import Any

try:
    from comfy_api.v0_0_2 import ComfyExtension, io, ui
except ImportError as error:
    raise ImportError(
        "CyberHost needs ComfyUI 0.3.64 or newer (its node API V3 was not found); "
        "update ComfyUI and start it again."
    ) from error

__all__ = ["ComfyExtension", "io", "schema", "ui"]


def schema(**described: Any) -> io.Schema:
    """Build a node's schema from the fields that this ComfyUI knows."""
    known = {field.name for field in fields(io.Schema)}
    return io.Schema(**{name: value for name, value in described.items() if name in known})
