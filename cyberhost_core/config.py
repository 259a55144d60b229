"""The base of every configuration: frozen, keyword-only, strict, and JSON in both directions."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import ConfigError


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
