"""What a bench found, as rows: for people a table, for programs JSON.

measure          value    target    ok    true renders   note
lip sync          0.78   >= 0.75   yes           0.93   ...
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

_ROUNDING = 1e-9  # a rank correlation of 1 may come out a hair below it


@dataclass(frozen=True)
class Target:
    """Hold a bound that a value must keep."""

    sense: Literal["at least", "at most"]
    bound: float

    def is_met(self, value: float) -> bool:
        """Compare; the bound itself is good enough."""
        return (
            value >= self.bound - _ROUNDING if self.sense == "at least" else value <= self.bound + _ROUNDING
        )

    def __str__(self) -> str:
        return f"{'>=' if self.sense == 'at least' else '<='} {self.bound:g}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """Hold one measured value.

    Units:    name: stable, for programs; label: for people, with the unit; value, ceiling: None when it could
              not be measured; ceiling: the same measure on true renders; passed: None when there is nothing
              to judge
    """

    name: str
    label: str
    value: float | None
    ceiling: float | None = None
    target: str | None = None
    passed: bool | None = None
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """Hold all rows of a run, and what they were measured on."""

    title: str
    machine: str
    settings: dict[str, object]
    rows: list[Row]

    @property
    def missed(self) -> list[Row]:
        """The rows whose target is not reached."""
        return [row for row in self.rows if row.passed is False]

    def to_json(self) -> str:
        """Write as JSON; what could not be measured is null."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Write as an aligned table of plain text."""
        head = ("measure", "value", "target", "ok", "true renders", "note")
        cells = [head, *(_cells(row) for row in self.rows)]
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        judged = [row for row in self.rows if row.passed is not None]
        verdict = f"{len(judged) - len(self.missed)} of {len(judged)} targets reached"
        lines = [self.title, self.machine, settings, "", *aligned(cells, left=(0, 5)), "", verdict]
        return "\n".join(lines)


def make_row(
    name: str,
    label: str,
    value: float | None,
    *,
    target: Target | None = None,
    ceiling: float | None = None,
    comment: str = "",
) -> Row:
    """Judge a value by its target, if there is one and the value could be measured."""
    known, bound = _known(value), _known(ceiling)
    passed = target.is_met(known) if target is not None and known is not None else None
    return Row(
        name=name, label=label, value=known, ceiling=bound, target=str(target) if target else None,
        passed=passed, comment=comment,
    )  # fmt: skip


def aligned(cells: Sequence[Sequence[str]], *, left: Sequence[int]) -> list[str]:
    """Lay out rows of cells in columns, numbers to the right.

    Units:    left: the columns that are words and go to the left
    """
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def number_text(value: float | None) -> str:
    """Write a number with about three digits that count, a dash for none."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _cells(row: Row) -> tuple[str, ...]:
    judged = {True: "yes", False: "NO", None: ""}[row.passed]
    return (
        row.label,
        number_text(row.value),
        row.target or "",
        judged,
        number_text(row.ceiling),
        row.comment,
    )


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
