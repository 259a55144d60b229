"""A finished file as ComfyUI's native VIDEO."""

from pathlib import Path
from typing import Any

from comfy_api.v0_0_2 import InputImpl


def video_from_file(path: Path) -> Any:
    """Hand a file over without decoding it."""
    return InputImpl.VideoFromFile(str(path))
