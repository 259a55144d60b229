"""Which classifiers Parts Guidance offers: those in models/cyberhost."""

from pathlib import Path

import folder_paths

from ...cyberhost_core.errors import CheckpointError
from .folders import KEY
from .formats import CLASSIFIERS, UNREADABLE, listed

NONE_THERE = "none in models/cyberhost"


def classifier_files() -> list[str]:
    """List the files; a combo without any choice would not say why."""
    return listed(lambda kind: kind in (CLASSIFIERS, UNREADABLE)) or [NONE_THERE]


def classifiers_path(name: str) -> Path:
    """Find a listed file.

    Raises:   CheckpointError: it is not there
    """
    found = None if name == NONE_THERE else folder_paths.get_full_path(KEY, name)
    if found is None:
        raise CheckpointError(
            f"There are no classifiers '{name}' in models/{KEY}; make them with 'cyberhost train "
            "classifiers' for the checkpoint, and put the file there."
        )
    return Path(found)
