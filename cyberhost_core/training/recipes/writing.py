"""Write recipes as YAML: one with all its values, or one that changes a few of another's."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import require_extra
from .entries import EXTENDS, SHIPPED, by_kind, read_change, shipped_names, with_changes
from .recipe import Recipe

_WIDTH = 100  # of a line
_TITLE = "# Every value of a recipe; 'cyberhost train' takes this file with --recipe.\n\n"


def resolved_text(recipe: Recipe) -> str:
    """Write a recipe with all its values; what is read from it is equal."""
    entries = json.loads(recipe.to_json())
    for name in [name for name in ("image", "video") if entries[name]]:
        stage = entries[name]
        del stage["name"]
        stage["losses"] = by_kind(stage["losses"])
        stage["sampling"]["settings"] = by_kind(stage["sampling"]["settings"])
    if recipe.image is None:
        del entries["image_system"]
    return _TITLE + to_yaml(entries)


def changed_text(source: str, changes: Sequence[str], *, shipped: Path = SHIPPED) -> str:
    """Write the recipe that a command with these changes goes by: a file that extends another."""
    name = source if source in shipped_names(shipped) else Path(source).resolve().as_posix()
    return to_yaml(with_changes({EXTENDS: name}, [read_change(change) for change in changes]))


def to_yaml(entries: Any) -> str:
    """Write YAML, short lists and mappings on a line.

    Raises:   MissingExtraError: PyYAML is not installed
    """
    try:
        import yaml
    except ImportError as error:
        raise require_extra("pyyaml", extra="train", purpose="Writing a recipe") from error
    return yaml.safe_dump(entries, sort_keys=False, default_flow_style=None, allow_unicode=True, width=_WIDTH)
