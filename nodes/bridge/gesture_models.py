"""Networks that make hand motion from a voice: which can be chosen, and one of them where ComfyUI runs it."""

from pathlib import Path
from typing import Any

import comfy.model_management as management
import comfy.model_patcher
import folder_paths

from ...cyberhost_core import bundled
from ...cyberhost_core.errors import CheckpointError
from .folders import KEY
from .formats import GESTURES, UNREADABLE, listed

BUNDLED_GESTURES = "tiny-gestures (bundled puppets)"


def gesture_models() -> list[str]:
    """List the networks; the bundled one, which learnt from drawn puppets, comes first."""
    return [BUNDLED_GESTURES, *listed(lambda kind: kind in (GESTURES, UNREADABLE))]


def gesture_model_path(name: str) -> Path:
    """Find a listed network.

    Raises:   CheckpointError: it is not there
    """
    if name == BUNDLED_GESTURES:
        return bundled.require(bundled.GESTURES)
    found = folder_paths.get_full_path(KEY, name)
    if found is None:
        raise CheckpointError(
            f"There is no gesture model '{name}' in models/{KEY}; put the file there, or choose "
            f"'{BUNDLED_GESTURES}'."
        )
    return Path(found)


def load_gesture_model(path: Path) -> Any:
    """Load a network where it runs; gives its ModelPatcher, which must be held while its `model` is used.

    Raises:   CheckpointError: missing, damaged, or of another kind
    """
    from ...cyberhost_core.checkpoints.gestures import load_gestures

    # The plain patcher also where ComfyUI loads dynamically: that needs layers of its own.
    patcher = comfy.model_patcher.ModelPatcher(
        load_gestures(path),
        load_device=management.get_torch_device(),
        offload_device=management.unet_offload_device(),
    )
    management.load_model_gpu(patcher)
    return patcher
