"""Recipes of EMO2's stage 1 from files, with changes: as those of the other stages, over the named ones.

extends: tiny
loop: {steps: 500, learning_rate: 5e-4}
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ..recipes.entries import EXTENDS, merged, read_change, read_file, with_changes
from ..recipes.faults import Fault, checked
from ..recipes.reading import origin
from .recipes import GestureRecipe


def read_gesture_recipe(
    source: str, changes: Sequence[str] = (), *, named: Callable[[str], GestureRecipe]
) -> GestureRecipe:
    """Read a recipe: a name, or a file that extends a name or holds every value.

    changes: FIELD=VALUE, as for --set; named: makes the recipe of a name, for the clips that are there

    Raises:   ConfigError: there is none, or something in it cannot be used; the sentence says what
    """
    path, asked = Path(source), [read_change(change) for change in changes]
    own: dict[str, Any] = dict(read_file(path)) if path.is_file() else {EXTENDS: source}
    base = own.pop(EXTENDS, None)
    written = {} if base is None else json.loads(named(str(base)).to_json())
    try:
        return checked(GestureRecipe, with_changes(merged(written, own), asked))
    except Fault as fault:
        raise ConfigError(f"{origin(fault, path, asked)} cannot be used: {fault}.") from fault
