"""Where the pack's files lie: models/cyberhost, and bundled ones that the browser fetches."""

from pathlib import Path

import folder_paths

import nodes

from ...cyberhost_core import bundled

KEY = "cyberhost"
EXTENSIONS = {".safetensors", ".onnx", ".npz"}
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
