"""What does not fit in a recipe, as the end of a sentence: which entry, what was given, what is allowed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

Path = tuple[str | int, ...]
Checked = TypeVar("Checked", bound=BaseModel)
_MOST_LETTERS = 60  # of a value that is shown


class Fault(Exception):
    """An entry that cannot be used; said: the end of a sentence that begins with the entry's path."""

    def __init__(self, path: Sequence[str | int], said: str) -> None:
        super().__init__(said)
        self.path, self.said = tuple(path), said

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))} {self.said}".strip()


def checked(model: type[Checked], values: object, *, at: Path = ()) -> Checked:
    """Make a value of what a file says.

    Raises:   Fault: it does not fit; the first thing that does not
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _fault(error, model, at) from error


def shown(value: object) -> str:
    """Write a value as it may stand in a sentence."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


def among(words: Iterable[str]) -> str:
    """Say what there is."""
    return ", ".join(words) or "nothing"


def _fault(error: ValidationError, model: type[BaseModel], at: Path) -> Fault:
    first = error.errors()[0]
    where, message = first["loc"], first["msg"]
    path = (*at, *where)
    if first["type"] == "missing":
        return Fault(path, "is missing")
    if first["type"] == "extra_forbidden":
        known = _fields(model, where[:-1])
        return Fault(path, f"is not known; known are {', '.join(known)}" if known else "is not known")
    if message.startswith("Value error, "):
        said = message.removeprefix("Value error, ")
        return Fault(path, f"does not fit: {said}")
    if message.startswith("Input should"):
        return Fault(path, f"is {shown(first['input'])}, but{message.removeprefix('Input')}")
    return Fault(path, f"is {shown(first['input'])}: {message[:1].lower()}{message[1:]}")


def _fields(model: type[BaseModel], path: Path) -> Mapping[str, Any]:
    """Name the fields of the value at a path; of several that could stand there, none."""
    there = [model]
    for part in path:
        tagged = [one for one in there if part in {one.__name__, _kind(one)}]
        if tagged:
            there = tagged
        elif isinstance(part, str):
            fields = [one.model_fields[part] for one in there if part in one.model_fields]
            there = [inner for field in fields for inner in _models(field.annotation)]
    return there[0].model_fields if len(there) == 1 else {}


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _kind(model: type[BaseModel]) -> object:
    return model.model_fields["kind"].default if "kind" in model.model_fields else None
