"""Where the pack's files lie: models/cyberhost, and bundled ones that need no copying."""

from pathlib import Path

import folder_paths

import nodes

from ...cyberhost_core import bundled
from ...cyberhost_core.errors import CheckpointError

KEY = "cyberhost"
BUNDLED = "tiny (bundled puppets)"
BUNDLED_HANDS = "tiny-emo2 (bundled puppets, driven by hands)"
_BUNDLED = {BUNDLED: bundled.CHECKPOINT, BUNDLED_HANDS: bundled.HANDS_CHECKPOINT}
EXTENSIONS = {".safetensors", ".onnx"}
PORTRAITS_WEB = "cyberhost-portraits"  # js/lib/graph.js fetches from /extensions/<this>


def register() -> None:
    """Tell ComfyUI about models/cyberhost, and let its page fetch the bundled portraits.

    Folders that the user configured under that key are kept.
    """
    folder_paths.add_model_folder_path(KEY, str(Path(folder_paths.models_dir) / KEY), is_default=True)
    folder_paths.folder_names_and_paths[KEY][1].update(EXTENSIONS)
    portraits = bundled.FOLDER / "portraits"
    if portraits.is_dir():  # the server refuses to start with a missing one
        nodes.EXTENSION_WEB_DIRS[PORTRAITS_WEB] = str(portraits)


def checkpoints() -> list[str]:
    """List what Load CyberHost can load; the bundled tiny model comes first."""
    from .formats import GESTURES, MANO, listed  # which asks this file for the folder

    return [*_BUNDLED, *listed(lambda kind: kind not in (GESTURES, MANO))]


def checkpoint_path(name: str) -> Path:
    """Find a listed checkpoint.

    Raises:   CheckpointError: it is not there
    """
    if name in _BUNDLED:
        return bundled.require(_BUNDLED[name])
    found = folder_paths.get_full_path(KEY, name)
    if found is None:
        raise CheckpointError(
            f"There is no checkpoint '{name}' in models/{KEY}; put the file there, or choose '{BUNDLED}'."
        )
    return Path(found)
