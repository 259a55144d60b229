"""Which checkpoints Load CyberHost offers: bundled ones first, then those in models/cyberhost."""

from pathlib import Path

import folder_paths

from ...cyberhost_core import bundled
from ...cyberhost_core.errors import CheckpointError
from .folders import KEY
from .formats import CLASSIFIERS, GESTURES, MANO, PEOPLE, listed

BUNDLED = "tiny (bundled puppets)"
BUNDLED_HANDS = "tiny-emo2 (bundled puppets, driven by hands)"
BUNDLED_UNIFIED = "tiny-paha (bundled puppets, one network)"
_BUNDLED = {
    BUNDLED: bundled.CHECKPOINT,
    BUNDLED_HANDS: bundled.HANDS_CHECKPOINT,
    BUNDLED_UNIFIED: bundled.UNIFIED_CHECKPOINT,
}


def checkpoints() -> list[str]:
    """List what Load CyberHost can load; the bundled tiny model comes first."""
    return [*_BUNDLED, *listed(lambda kind: kind not in (GESTURES, MANO, CLASSIFIERS, PEOPLE))]


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
