"""MANO hands that the user has converted, to be drawn in the place of the pack's own."""

from pathlib import Path
from typing import TYPE_CHECKING

import folder_paths

from ...cyberhost_core.errors import CheckpointError
from .folders import KEY
from .formats import MANO, UNREADABLE, listed

if TYPE_CHECKING:
    from ...cyberhost_core.hands.drawing.surface import HandSurface, Surfaces
    from ...cyberhost_core.hands.skeleton import Side

OWN = "capsules (bundled)"


def hand_shapes() -> list[str]:
    """List the shapes of a hand; the pack's own comes first."""
    return [OWN, *listed(lambda kind: kind in (MANO, UNREADABLE))]


def hand_shape_path(name: str) -> Path | None:
    """Find a listed shape; None for the pack's own.

    Raises:   CheckpointError: it is not there
    """
    if name == OWN:
        return None
    found = folder_paths.get_full_path(KEY, name)
    if found is None:
        raise CheckpointError(
            f"There is no hand '{name}' in models/{KEY}; convert MANO's file with 'cyberhost convert mano' "
            f"and put it there, or choose '{OWN}'."
        )
    return Path(found)


def surfaces_of(left: str, right: str) -> "Surfaces":
    """Read both hands.

    Raises:   CheckpointError: missing, no converted MANO hand, or the hand of the other side
    """
    from ...cyberhost_core.hands.drawing.capsules import capsule_surfaces

    own = capsule_surfaces()
    return {"left": _surface(left, "left", own=own), "right": _surface(right, "right", own=own)}


def _surface(name: str, side: "Side", *, own: "Surfaces") -> "HandSurface":
    from ...cyberhost_core.hands.drawing.mano_file import load_mano

    path = hand_shape_path(name)
    if path is None:
        return own[side]
    surface = load_mano(path)
    if surface.side != side:
        raise CheckpointError(
            f"'{name}' is a {surface.side} hand, but it was chosen as the {side} one; choose the file of the "
            "other hand, converted from the other MANO file."
        )
    return surface
