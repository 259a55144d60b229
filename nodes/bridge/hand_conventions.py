"""What a user tells of another program's hands, among it an SMPL-X model that lies in models/cyberhost."""

from pathlib import Path

import folder_paths

from ...cyberhost_core.errors import MediaError
from ...cyberhost_core.hands.conventions import HANDEDNESS, INCLUDED, Conventions
from .folders import KEY

NOT_TOLD = "not told"
HANDEDNESS_ANSWERS = [NOT_TOLD, *HANDEDNESS]


def hand_means() -> list[str]:
    """List the answers about the mean pose: none, that it is included, then the models that may hold it."""
    models = [name for name in folder_paths.get_filename_list(KEY) if name.lower().endswith(".npz")]
    return [NOT_TOLD, INCLUDED, *models]


def hand_mean_path(name: str) -> Path | None:
    """Find a listed model; None for the answers that are none.

    Raises:   MediaError: it is not there
    """
    if name in (NOT_TOLD, INCLUDED):
        return None
    found = folder_paths.get_full_path(KEY, name)
    if found is None:
        raise MediaError(
            f"There is no SMPL-X model '{name}' in models/{KEY}; put the file there, or choose '{INCLUDED}' "
            "if the finger turns include the mean pose."
        )
    return Path(found)


def conventions(fps: float, hand_mean: str, handedness: str) -> Conventions:
    """Gather the answers; a rate of 0 is none.

    Raises:   MediaError: the model with the mean pose is not there
    """
    return Conventions(
        fps=fps or None,
        hand_mean=INCLUDED if hand_mean == INCLUDED else hand_mean_path(hand_mean),
        handedness=None if handedness == NOT_TOLD else handedness,
    )
