"""Where the pack's files lie: models/cyberhost, and the bundled checkpoint that needs no copying."""

from pathlib import Path

import folder_paths

from ...cyberhost_core import bundled
from ...cyberhost_core.errors import CheckpointError

KEY = "cyberhost"
BUNDLED = "tiny (bundled puppets)"
EXTENSIONS = {".safetensors", ".onnx"}


def register() -> None:
    """Tell ComfyUI about models/cyberhost; folders that the user configured under that key are kept."""
    folder_paths.add_model_folder_path(KEY, str(Path(folder_paths.models_dir) / KEY), is_default=True)
    folder_paths.folder_names_and_paths[KEY][1].update(EXTENSIONS)


def checkpoints() -> list[str]:
    """List what Load CyberHost can load; the bundled tiny model comes first."""
    found = folder_paths.get_filename_list(KEY)
    return [BUNDLED, *(name for name in found if name.endswith(".safetensors"))]


def checkpoint_path(name: str) -> Path:
    """Find a listed checkpoint.

    Raises:   CheckpointError: it is not there
    """
    if name == BUNDLED:
        return bundled.require(bundled.CHECKPOINT)
    found = folder_paths.get_full_path(KEY, name)
    if found is None:
        raise CheckpointError(
            f"There is no checkpoint '{name}' in models/{KEY}; put the file there, or choose '{BUNDLED}'."
        )
    return Path(found)
