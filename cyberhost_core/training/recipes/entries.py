"""What recipe files hold, before it is given a meaning: YAML, files that extend others, changes to them.

file --YAML--> entries, over those of the file that it extends, under the changes that a command asks for
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError, require_extra
from .faults import Fault, among, shown

SHIPPED = Path(__file__).with_name("shipped")
EXTENDS = "extends"
Entries = Mapping[str, Any]

# What plain words mean in YAML 1.2. PyYAML's own table is that of YAML 1.1: `no` is false, and 1e-5 a word.
_WORDS = (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
)


@dataclass(frozen=True)
class Change:
    """One `--set`: the path of an entry, and its new value."""

    path: tuple[str, ...]
    value: Any


def shipped_names(shipped: Path = SHIPPED) -> list[str]:
    """Name the recipes that come with the package."""
    return sorted(path.stem for path in shipped.glob("*.yaml"))


def recipe_file(source: str, *, beside: Path | None = None, shipped: Path = SHIPPED) -> Path:
    """Find the file of a recipe: one that comes with the package, by its name, or any other, by its path.

    Raises:   ConfigError: there is neither
    """
    if source in shipped_names(shipped):
        return shipped / f"{source}.yaml"
    path = (beside or Path()) / source
    if not path.is_file():
        raise ConfigError(
            f"There is no recipe '{source}': it is neither a file nor one of those that come with the "
            f"package: {among(shipped_names(shipped))}."
        )
    return path


def read_entries(
    path: Path,
    *,
    completed: Callable[[Entries], Entries],
    after: tuple[Path, ...] = (),
    shipped: Path = SHIPPED,
) -> Entries:
    """Read a file, over the one that it extends, and so on; completed: what the undermost leaves out.

    Raises:   ConfigError: a file is missing, no YAML, or extends itself; Fault: see merged
    """
    if path.resolve() in after:
        raise ConfigError(f"The recipe {path} extends itself; let it extend another, or nothing.")
    own = dict(read_file(path))
    source = own.pop(EXTENDS, None)
    if source is None:
        return completed(own)
    below = recipe_file(str(source), beside=path.parent, shipped=shipped)
    after = (*after, path.resolve())
    return merged(read_entries(below, completed=completed, after=after, shipped=shipped), own)


def read_file(path: Path) -> Entries:
    """Read a file alone, whatever it extends.

    Raises:   ConfigError: it cannot be read, is no YAML, or holds something else
    """
    entries = _parsed(read_text(path), where=f"recipe {path}")
    if not isinstance(entries, Mapping):
        raise ConfigError(
            f"The recipe {path} holds {shown(entries)}, but entries such as 'system' and 'video' were "
            "expected; print one to start from with 'cyberhost train recipe cyberhost'."
        )
    return entries


def read_text(path: Path) -> str:
    """Read a recipe as it was written.

    Raises:   ConfigError: it cannot be read
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The recipe {path} cannot be read ({error}); give a text file.") from error


def read_change(text: str) -> Change:
    """Read FIELD=VALUE, the value being YAML.

    Raises:   ConfigError: it has another form
    """
    name, equals, value = text.partition("=")
    path = tuple(name.strip().split("."))
    if not equals or not all(path):
        raise ConfigError(
            f"--set was given '{text}', but FIELD=VALUE was expected, such as video.learning_rate=2e-5."
        )
    return Change(path, _parsed(value, where=f"value in --set {text}"))


def with_changes(entries: Entries, changes: Sequence[Change]) -> Entries:
    """Put changes over entries, one after the other.

    Raises:   Fault: there is no list item of that number
    """
    for change in changes:
        nested: Any = change.value
        for part in reversed(change.path):
            nested = {part: nested}
        entries = merged(entries, nested)
    return entries


def merged(below: Any, above: Any, *, at: tuple[str, ...] = ()) -> Any:
    """Put entries over others: a mapping goes into a mapping, anything else takes the other's place.

    So does a mapping of another `kind`. A mapping also goes into what stands for one: a word, which is the
    `base` of a mapping; a list of values with a `kind`, which is a mapping of kinds; and any list, by the
    numbers of its items.

    Raises:   Fault: there is no item of that number
    """
    if not isinstance(above, Mapping):
        return above
    if isinstance(below, str):
        below = {"base": below}
    if isinstance(below, list):
        if not all(str(key).isdigit() for key in above):
            below = by_kind(below)
        else:
            return _with_items(below, above, at)
    if not isinstance(below, Mapping) or above.get("kind", below.get("kind")) != below.get("kind"):
        return above
    inner = {
        key: merged(below[key], value, at=(*at, str(key))) if key in below else value
        for key, value in above.items()
    }
    return {**below, **inner}


def by_kind(items: list[Any]) -> Any:
    """Write a list of values with a `kind` as a mapping of kinds; any other list stays as it is."""
    kinds = [item.get("kind") if isinstance(item, Mapping) else None for item in items]
    if not all(isinstance(kind, str) for kind in kinds) or len(set(kinds)) < len(kinds):
        return items
    return {item["kind"]: {key: value for key, value in item.items() if key != "kind"} for item in items}


def _with_items(items: list[Any], above: Entries, at: tuple[str, ...]) -> list[Any]:
    changed = list(items)
    for number, value in above.items():
        if int(number) >= len(items):
            raise Fault((*at, number), f"does not exist: the list has {len(items)} items, counted from 0")
        changed[int(number)] = merged(items[int(number)], value, at=(*at, str(number)))
    return changed


def _parsed(text: str, *, where: str) -> Any:
    yaml = _yaml()

    class Loader(yaml.SafeLoader):
        """Reads YAML 1.2's plain words, and no key twice."""

        yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML asks for it

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = []
            for written, _ in node.value:
                key = self.construct_object(written, deep=True)
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"'{key}' stands there twice", written.start_mark
                    )
                seen.append(key)
            return super().construct_mapping(node, deep)

    for tag, pattern, first in _WORDS:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), list(first))
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f"line {mark.line + 1}: " if mark else ""
        said = " ".join(str(problem or error).split())
        raise ConfigError(f"The {where} is no YAML: {line}{said}.") from error


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise require_extra("pyyaml", extra="train", purpose="Reading a recipe") from error
    return yaml
