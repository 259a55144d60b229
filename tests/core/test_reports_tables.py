"""A report says the same to people and to programs."""

import json

import pytest

from cyberhost_core.exams.puppets.bench_rows import LINES, bench_rows
from cyberhost_core.reports.tables import BenchReport, Row, Target, make_row, number_text

AT_LEAST, AT_MOST = Target("at least", 0.75), Target("at most", 0.15)


def report_of(*rows: Row) -> BenchReport:
    return BenchReport(title="A bench", machine="A machine", settings={"clips": 3}, rows=list(rows))


def test_the_bound_itself_is_good_enough_and_nothing_below_it_is() -> None:
    assert make_row("a", "a", 0.75, target=AT_LEAST).passed is True
    assert make_row("a", "a", 0.7499, target=AT_LEAST).passed is False
    assert make_row("a", "a", 0.15, target=AT_MOST).passed is True
    assert make_row("a", "a", 0.1501, target=AT_MOST).passed is False
    assert make_row("a", "a", 1 - 1e-12, target=Target("at least", 1.0)).passed is True


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_could_not_be_measured_is_not_judged_and_is_null(value: float | None) -> None:
    row = make_row("a", "a", value, target=AT_LEAST)
    assert (row.value, row.passed) == (None, None)
    assert json.loads(report_of(row).to_json())["rows"][0]["value"] is None


def test_the_table_has_aligned_columns_and_says_how_many_targets_are_reached() -> None:
    text = report_of(
        make_row("lips", "lip sync", 0.8, target=AT_LEAST, ceiling=0.93, comment="mean"),
        make_row("shuffled", "lip sync, other voices", 0.4, target=AT_MOST),
        make_row("memory", "memory", 1234.5),
    ).to_text()
    lines = text.splitlines()
    head, first, second, third = lines[4:8]
    value_end = head.index("value") + len("value")
    assert first[:value_end].endswith("0.80")
    assert second[:value_end].endswith("0.40")
    assert third[:value_end].endswith("1234")
    assert "yes" in first
    assert "NO" in second
    assert first.endswith("mean")
    assert lines[-1] == "1 of 2 targets reached"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.123, "0.12"), (-0.5, "-0.50"), (24.56, "24.6"), (20.0, "20.0"), (1234.5, "1234")],
)
def test_numbers_are_written_with_the_digits_that_count(value: float | None, text: str) -> None:
    assert number_text(value) == text


def test_every_number_gets_its_row_and_ranges_stand_before_what_judges_them() -> None:
    numbers = dict.fromkeys(LINES, 0.5) | {f"movement_range_px_{box}": 1.0 * box for box in range(1, 12)}
    names = [row.name for row in bench_rows(numbers, ceilings={})]
    assert set(names) == set(numbers)
    first = names.index("movement_range_px_1")
    assert names[first : first + 11] == [f"movement_range_px_{box}" for box in range(1, 12)]
    assert names[first + 11] == "movement_obedience"


def test_the_targets_are_those_that_were_promised() -> None:
    targets = {name: str(line.target) for name, line in LINES.items() if line.target}
    assert targets == {
        "lip_sync": ">= 0.75",
        "lip_sync_dark": ">= 0.6",
        "lip_sync_middle": ">= 0.6",
        "lip_sync_light": ">= 0.6",
        "lip_sync_shuffled": "<= 0.15",
        "hands_found": ">= 0.9",
        "hands_plausible": ">= 0.7",
        "thorax_inside": ">= 0.9",
        "movement_obedience": ">= 1",
        "clarity_obedience": ">= 0.8",
        "identity_nearest": ">= 0.9",
        "seam_ratio": "<= 1.5",
    }
