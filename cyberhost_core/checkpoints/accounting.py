"""Account for every name of a conversion: taken over as what, left out and why, missing, never heard of.

source names -> fate -> our names ----+
                                      +-- compared --> report: matched, initialised, dropped, missing,
names and shapes of the system -------+                        unexpected
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError
from .sources import Source

Shapes = Mapping[str, tuple[int, ...]]

_KINDS = (
    "motion_modules",
    "audio_modules",
    "face_attentions",
    "hands_attentions",
    "attentions",
    "resnets",
    "downsamplers",
    "upsamplers",
)
_SHOWN = 5  # names in a sentence


@dataclass(frozen=True)
class Fate:
    """What becomes of a weight: it gets our names, or is dropped for a reason; with neither it is unexpected.

    as_linear: a 1 x 1 convolution that is a linear layer here; check: looks at the values of a dropped one.
    """

    names: tuple[str, ...] = ()
    reason: str = ""
    as_linear: bool = False
    check: Callable[[Tensor], None] | None = None


@dataclass(frozen=True)
class Origin:
    """Where a weight of ours comes from; shape is ours."""

    source: Source
    name: str
    shape: tuple[int, ...]

    @property
    def dtype(self) -> torch.dtype:
        return self.source.tensors[self.name].dtype

    def read(self) -> Tensor:
        """Read it, in our shape."""
        tensor = self.source.read(self.name)
        return tensor if tensor.shape == self.shape else tensor.reshape(self.shape)

    @property
    def place(self) -> tuple[Path, str]:
        return self.source.path, self.name

    def __str__(self) -> str:
        return f"{self.source.label}: {self.name}"


@dataclass
class Group:
    """One part's account.

    matched: our name -> where it came from; dropped: reason -> names in the file; initialised and missing:
    our names; unexpected: names in the file
    """

    matched: dict[str, str] = field(default_factory=dict)
    initialised: list[str] = field(default_factory=list)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


@dataclass
class Report:
    """The account of a conversion, or of a start, by part.

    files: those that the weights were sought in, in the order in which they count; told apart in the text
    """

    kind: str
    files: list[str] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    out: str = ""
    bytes: int = 0

    def group(self, our_name: str) -> Group:
        """The account of the part that a name belongs to: "denoiser.motion_modules", "vae", ..."""
        part, *rest = our_name.split(".")
        kinds = [kind for kind in _KINDS if kind in rest]
        return self.groups.setdefault(f"{part}.{kinds[0]}" if kinds else part, Group())

    @property
    def surprises(self) -> list[str]:
        """Everything missing or unexpected, in words."""
        return sorted(
            f"{word} '{name}'"
            for group in self.groups.values()
            for word, names in (("missing", group.missing), ("unexpected", group.unexpected))
            for name in names
        )

    def as_json(self) -> dict[str, Any]:
        """The whole account, name by name."""
        return asdict(self)

    def as_text(self) -> str:
        """The account in numbers, then every reason and every surprise in words."""
        width = max((len(name) for name in self.groups), default=0)
        lines = [" ".join([f"{'part':<{width}}", *(f"{column:>11}" for column in self._counts(Group()))])]
        for name, group in sorted(self.groups.items()):
            counts = self._counts(group).values()
            lines.append(" ".join([f"{name:<{width}}", *(f"{count:>11}" for count in counts)]))
        lines += [f"{_column(number)}: {file}" for number, file in enumerate(self.files)]
        for name, group in sorted(self.groups.items()):
            lines += [
                f"dropped: {len(names)} of {name}: {reason} ({names[0]}{', ...' if names[1:] else ''})"
                for reason, names in group.dropped.items()
            ]
        return "\n".join([*lines, *self.surprises, *self.notes])

    def _counts(self, group: Group) -> dict[str, int]:
        """A row of the table; where files are told apart, nothing can be missing or unexpected."""
        made = {
            "initialised": len(group.initialised),
            "dropped": sum(map(len, group.dropped.values())),
        }
        if self.files:
            origins = [origin.rpartition(": ")[0] for origin in group.matched.values()]
            return {_column(n): origins.count(file) for n, file in enumerate(self.files)} | made
        surprises = {"missing": len(group.missing), "unexpected": len(group.unexpected)}
        return {"matched": len(group.matched)} | made | surprises


def _column(number: int) -> str:
    return f"from {number + 1}"


class UnaccountedWeightsError(CheckpointError):
    """A file holds what nobody expected, or lacks what is needed; report says all of it."""

    def __init__(self, report: Report, advice: str) -> None:
        found = report.surprises
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        super().__init__(
            f"{len(found)} weights of {report.kind} are missing, unexpected or of another shape: "
            f"{', '.join(found[:_SHOWN])}{more}; {advice}."
        )
        self.report = report


class Ledger:
    """Collect what several files give, then compare it with what a system needs."""

    def __init__(self, kind: str) -> None:
        self.report = Report(kind)
        self.origins: dict[str, Origin] = {}
        self._dropped: list[tuple[str, Origin, str]] = []  # our name (or part), what, why

    def take(self, source: Source, fate_of: Callable[[str], Fate]) -> None:
        """Go through all names of a file; where two files give the same weight, the later one counts.

        Raises:   CheckpointError: a dropped weight is not what it should be
        """
        for name, info in source.tensors.items():
            fate = fate_of(name)
            origin = Origin(source, name, info.shape[:2] if fate.as_linear else info.shape)
            if fate.reason:
                if fate.check:
                    fate.check(source.read(name))
                self._dropped.append((fate.names[0] if fate.names else "other", origin, fate.reason))
            elif not fate.names:
                self.report.group("other").unexpected.append(str(origin))
            else:
                self._keep(origin, fate.names)
        if source.read_whole:
            self.report.notes.append(
                f"{source.label} is an older pickle, which cannot be mapped: it was read whole."
            )

    def _keep(self, origin: Origin, names: Iterable[str]) -> None:
        for ours in names:
            if ours in self.origins:
                reason = f"{origin.source.label} gives it, too, and counts"
                self._dropped.append((ours, self.origins[ours], reason))
            self.origins[ours] = origin

    @property
    def shapes(self) -> Shapes:
        """What was found, under our names; looking up what was not names it in an error."""
        return _Shapes({name: origin.shape for name, origin in self.origins.items()})

    def settle(self, expected: Shapes, *, initialised: Iterable[str] = (), advice: str) -> None:
        """Compare with what the system needs; initialised: what it makes itself where no file gives it.

        Raises:   UnaccountedWeightsError: something is missing, left over or of another shape
        """
        own, used = set(initialised), {origin.place for origin in self.origins.values()}
        for name, origin, reason in self._dropped:
            if origin.place not in used:  # what one look at a file leaves out, another may take
                self.report.group(name).dropped.setdefault(reason, []).append(str(origin))
        for name, shape in expected.items():
            group, origin = self.report.group(name), self.origins.get(name)
            if origin is None:
                (group.initialised if name in own else group.missing).append(name)
            elif origin.shape == shape:
                group.matched[name] = str(origin)
            else:
                group.unexpected.append(f"{origin} of shape {list(origin.shape)} instead of {list(shape)}")
        for name in self.origins.keys() - expected.keys():
            self.report.group(name).unexpected.append(str(self.origins[name]))
        if self.report.surprises:
            raise UnaccountedWeightsError(self.report, advice)


class _Shapes(dict[str, tuple[int, ...]]):
    def __missing__(self, name: str) -> tuple[int, ...]:
        raise CheckpointError(
            f"The weight '{name}' was not found in the given files; give all files of the download."
        )
