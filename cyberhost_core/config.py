"""The base of every configuration: frozen, keyword-only, strict, and JSON in both directions.

Config    a value of one class
Member    a value of an open family: `kind` says which class, and a class joins by being defined
Count, Positive, Share    numbers within bounds
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from .errors import ConfigError

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Config(BaseModel):
    """A value that describes a part; two equal configs build two equal parts.

    Raises:   ConfigError from `parse` when a field is unknown, missing or out of range
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def derive(self, **changes: Any) -> Self:
        """Copy with some fields replaced, and checked again."""
        return type(self).model_validate({**dict(self), **changes})

    def to_json(self) -> str:
        """Write as one line of JSON."""
        return self.model_dump_json()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole text"
            raise ConfigError(
                f"The configuration of {cls.__name__} is not usable: {where}: {first['msg']}; "
                "use a file written by this version of cyberhost, or convert the older one."
            ) from error


class Member(Config):
    """One of a family of configs that may be listed where the family is expected.

    A direct subclass founds a family; each of its own subclasses that gives `kind` a default is a member, and
    is read from JSON by that word. Fields typed with the family are annotated SerializeAsAny, or JSON would
    hold the family's fields alone.
    """

    kind: str
    _members: ClassVar[dict[str, type["Member"]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if Member in cls.__bases__:
            cls._members = {}
        elif not cls.model_fields["kind"].is_required():
            cls._members[cls.model_fields["kind"].default] = cls

    @classmethod
    def kinds(cls) -> Mapping[str, type[Self]]:
        """Give the members of a family, by their words."""
        return cast("Mapping[str, type[Self]]", cls._members)

    @model_validator(mode="wrap")
    @classmethod
    def _as_its_kind(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Any:
        if Member not in cls.__bases__ or not isinstance(value, dict):
            return handler(value)
        kind = value.get("kind")
        if kind not in cls._members:
            raise ValueError(f"the kind '{kind}' is not known, one of {', '.join(cls._members)} was expected")
        try:
            return cls._members[kind].model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{kind}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
