"""Which hand tracks can be chosen, and where they lie."""

from pathlib import Path

from ...cyberhost_core.hands.track import hand_tracks
from .files import offered, offered_path

_BUNDLED = " (bundled)"
SUFFIXES = (".json", ".safetensors", ".npz")


def hand_track_names() -> list[str]:
    """List the bundled tracks, then the user's."""
    return [*_bundled(), *offered(*SUFFIXES)]


def hand_track_path(name: str) -> Path:
    """Find a listed track; the file may be gone by now.

    Raises:   ConfigError: the name leads out of ComfyUI's folders
    """
    return _bundled().get(name) or offered_path(name)


def _bundled() -> dict[str, Path]:
    return {f"{path.name}{_BUNDLED}": path for path in hand_tracks()}
