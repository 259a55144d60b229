"""Which classifiers Parts Guidance offers: the bundled ones first, then those in models/cyberhost."""

from pathlib import Path

import folder_paths

from ...cyberhost_core import bundled
from ...cyberhost_core.errors import CheckpointError
from .folders import KEY
from .formats import CLASSIFIERS, UNREADABLE, listed

_BUNDLED = {
    "tiny-classifiers (bundled)": bundled.CLASSIFIERS,
    "tiny-emo2-classifiers (bundled)": bundled.HANDS_CLASSIFIERS,
    "tiny-paha-classifiers (bundled)": bundled.UNIFIED_CLASSIFIERS,
}


def classifier_files() -> list[str]:
    """List the files; those of the bundled tiny model come first."""
    return [*_BUNDLED, *listed(lambda kind: kind in (CLASSIFIERS, UNREADABLE))]


def classifiers_path(name: str) -> Path:
    """Find a listed file.

    Raises:   CheckpointError: it is not there
    """
    if name in _BUNDLED:
        return bundled.require(_BUNDLED[name])
    found = folder_paths.get_full_path(KEY, name)
    if found is None:
        raise CheckpointError(
            f"There are no classifiers '{name}' in models/{KEY}; make them with 'cyberhost train "
            "classifiers' for the checkpoint, and put the file there."
        )
    return Path(found)
