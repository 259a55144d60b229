"""The table of a guidance exam: a row per method and share of guided steps."""

import json
import math
from dataclasses import asdict, dataclass

from ...reports.tables import aligned

COLUMNS = {  # measure -> head
    "lip_sync": "lip sync",
    "lip_sync_others": "other voices",
    "bas": "BAS",
    "fgd": "FGD",
    "div": "Div.",
    "seams": "seams",
    "seconds_per_segment": "s per segment",
    "time_ratio": "time",
}
NOTES = (
    "After a mean over seeds, in brackets, its spread: largest minus smallest; FGD and Div. are of the "
    "windows of all seeds.",
    "BAS: motion beats with an onset. time: against no guidance by parts. True renders: what the "
    "detector and the measures allow.",
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One number: mean over seeds, and their spread where there is one; None where it was not measured."""

    value: float | None
    spread: float | None = None


@dataclass(frozen=True, kw_only=True)
class GuidanceRow:
    """One way to guide; guided: share of the steps. numbers: by the names of COLUMNS."""

    name: str
    guided: float
    numbers: dict[str, Measured]


@dataclass(frozen=True, kw_only=True)
class GuidanceReport:
    """All rows of a run, and what they were measured on; the last row is true renders."""

    title: str
    machine: str
    settings: dict[str, object]
    rows: list[GuidanceRow]

    def to_json(self) -> str:
        """Write as JSON; what could not be measured is null."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Write as an aligned table of plain text."""
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        head = ["guidance", "guided", *COLUMNS.values()]
        cells = [head, *(_cells(row) for row in self.rows)]
        return "\n".join([self.title, self.machine, settings, "", *aligned(cells, left=(0,)), "", *NOTES])


def measured(value: float, spread: float | None = None) -> Measured:
    """Hold a number, or that it was not measured."""
    if not math.isfinite(value):
        return Measured(value=None)
    return Measured(value=value, spread=spread)


def _cells(row: GuidanceRow) -> list[str]:
    return [row.name, f"{row.guided:.0%}", *(_text(row.numbers.get(name)) for name in COLUMNS)]


def _text(number: Measured | None) -> str:
    if number is None or number.value is None:
        return "-"
    spread = "" if number.spread is None else f" ({number.spread:.3f})"
    return f"{number.value:.3f}{spread}"
