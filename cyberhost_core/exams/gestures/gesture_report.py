"""The measures of EMO2's table 1 on motions that were generated already, seed by seed, with targets.

    {seed: motions of every voice} --+
    true motions of every voice -----+--> DIV, BA, PCK, FGD of each seed --> rows: mean, spread, target, truth
    onsets of every voice -----------+

A claim holds when it holds beyond the spread over seeds: largest minus smallest, which few seeds do not
flatter as much as a deviation.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from ...errors import ConfigError
from ...metrics.statistics import spearman
from ...reports.tables import aligned
from .gesture_numbers import GestureTruth, Takes, measure_motions, measure_truth, true_lag

LEAST_SEEDS = 3
DIVERSITY_WITHIN = 0.30  # of the true motions' DIV
LEAST_AMPLITUDE_ORDER = 0.9


@dataclass(frozen=True, kw_only=True)
class SeedRow:
    """Hold one measure over several seeds.

    Units:    value: mean over seeds, None when it could not be measured; spread: largest minus smallest;
              truth: the same measure on true motion; compared: another model's value; passed: None when there
              is nothing to judge
    """

    name: str
    label: str
    value: float | None
    spread: float | None
    truth: float | None = None
    compared: float | None = None
    target: str | None = None
    passed: bool | None = None
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class GestureSection:
    """Hold the rows of one part of the two-stage system, and of what another model is called beside it."""

    title: str
    rows: list[SeedRow]
    compared: str | None = None


@dataclass(frozen=True, kw_only=True)
class GestureReport:
    """Hold all rows of a run, part by part, and what they were measured on."""

    title: str
    machine: str
    settings: dict[str, object]
    sections: list[GestureSection]

    @property
    def rows(self) -> list[SeedRow]:
        """The rows of all parts."""
        return [row for section in self.sections for row in section.rows]

    @property
    def missed(self) -> list[SeedRow]:
        """The rows whose target is not reached."""
        return [row for row in self.rows if row.passed is False]

    def to_json(self) -> str:
        """Write as JSON; what could not be measured is null."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Write as aligned tables of plain text."""
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        lines = [self.title, self.machine, settings]
        for section in self.sections:
            lines += ["", section.title, *_table(section)]
        judged = [row for row in self.rows if row.passed is not None]
        verdict = f"{len(judged) - len(self.missed)} of {len(judged)} targets reached"
        return "\n".join([*lines, "", verdict])


def gesture_rows(generated: Mapping[int, Takes], *, truth: GestureTruth) -> list[SeedRow]:
    """Measure the motions of every seed and judge them.

    Shapes:   generated: for every seed, for every voice in truth's order, one or more motions of the true
              ones' length; DIV needs two or more
    Units:    see SeedRow
    Raises:   ConfigError: fewer than three seeds; voices that do not match; too few motions for FGD; features
              of another frame rate
    Source:   EMO2 table 1; the controls are ours
    """
    _check(generated, truth)
    lag_secs = true_lag(truth)
    true = measure_truth(truth, lag_secs=lag_secs)
    per_seed = [measure_motions(takes, truth, lag_secs=lag_secs) for takes in generated.values()]
    for numbers in (*per_seed, true):
        numbers["div_ratio"] = numbers["div"] / true["div"] if true["div"] > 0 else float("nan")
    found = {name: np.array([numbers[name] for numbers in per_seed]) for name in _LABELS}
    return [_row(name, found=found, true=true[name], lag_secs=lag_secs) for name in _LABELS]


def with_compared(rows: list[SeedRow], others: list[SeedRow]) -> list[SeedRow]:
    """Set another model's values, measured by the same names, beside."""
    values = {row.name: row.value for row in others}
    return [replace(row, compared=values.get(row.name)) for row in rows]


def amplitude_row(settings_L: np.ndarray, amplitudes_SL: np.ndarray) -> SeedRow:
    """Judge whether motion grows with the amplitude that is asked for.

    Shapes:   settings_L (L,) asked for; amplitudes_SL (seeds, L) measured (hand_joints.amplitude), mean over
              voices and hands
    Units:    any; -1..1, 1: every larger setting gives a larger motion
    Source:   ours; the control is EMO2's (section 3.3)
    """
    measured = ", ".join(f"{value:.3f}" for value in amplitudes_SL.mean(axis=0))
    orders = np.array([spearman(settings_L, amplitudes_L) for amplitudes_L in amplitudes_SL])
    return SeedRow(
        name="amplitude_order",
        label="amplitude rises with setting",
        value=float(orders.mean()),
        spread=float(np.ptp(orders)),
        target=f">= {LEAST_AMPLITUDE_ORDER:g}",
        passed=bool(orders.mean() >= LEAST_AMPLITUDE_ORDER - 1e-9),
        comment=f"Spearman over {len(settings_L)} settings, mean over seeds; measured {measured}",
    )


_CONTROLS = {"ba_over_time_shifted": "ba_time_shifted", "ba_over_other_sound": "ba_other_sound"}
_LABELS = {
    "ba": ("BA", "hands rest on onsets, both ways; expected {lag:.2f} s after the sound, as true motion is"),
    "ba_time_shifted": ("  beats shifted in time", "the control that says what chance gives"),
    "ba_other_sound": ("  other voices' sound", "the same motion, other onsets"),
    "ba_over_time_shifted": ("BA above shifted", "target: more than the spread of BA and of the control"),
    "ba_over_other_sound": ("BA above other voices", "target: more than the spread of BA and of the control"),
    "ba_sound_to_motion": ("  onsets with a beat", "one way"),
    "ba_motion_to_sound": ("  beats with an onset", "the other way"),
    "ba_above_chance": (
        "BA beyond chance (share)",
        "of what is above shifted beats; 0 for hands that tremble",
    ),
    "ba_no_lag": ("BA, no lag", "as the papers take it"),
    "stroke_alignment": ("BA of strokes, no lag", "peaks of speed instead of minima"),
    "no_beats": ("motions without beats (share)", "their BA is 0"),
    "div": ("DIV (picture heights)", "mean distance of a joint between two motions of one voice"),
    "div_moving": ("  without mean poses", "0 when hands only stand elsewhere"),
    "div_ratio": ("DIV / true DIV", "target: within 30 %"),
    "amplitude": ("amplitude (picture heights)", "deviation of the wrists, mean of both hands"),
    "pck": ("PCK", "joints within half a hand length of one true motion; no target: many motions are right"),
    "fgd": ("FGD", "true motion: the first takes against the others; only comparable with the same features"),
}


def _check(generated: Mapping[int, Takes], truth: GestureTruth) -> None:
    if len(generated) < LEAST_SEEDS:
        raise ConfigError(
            f"Motions of {len(generated)} seeds were measured, but a spread needs at least {LEAST_SEEDS}; "
            "generate more seeds."
        )
    voices = {len(truth.onsets), len(truth.takes), *(len(takes) for takes in generated.values())}
    motions = [*truth.takes, *(motions for takes in generated.values() for motions in takes)]
    if len(voices) != 1 or voices == {0} or not all(motions):
        raise ConfigError(
            f"Motions, true motions and onsets are of {sorted(voices)} voices; give the same voices to all, "
            "at least one motion each."
        )
    if truth.features is not None and truth.features.config.fps != truth.fps:
        raise ConfigError(
            f"The gesture features are of motion at {truth.features.config.fps:g} frames per second, but "
            f"this motion has {truth.fps:g}; train features at that rate."
        )


def _row(name: str, *, found: Mapping[str, np.ndarray], true: float, lag_secs: float) -> SeedRow:
    label, comment = _LABELS[name]
    value = float(found[name].mean())
    if not math.isfinite(value):
        return SeedRow(name=name, label=label, value=None, spread=None, comment="not measured")
    target, passed = _judge(name, value, found=found)
    return SeedRow(
        name=name,
        label=label,
        value=value,
        spread=float(np.ptp(found[name])),
        truth=true if math.isfinite(true) else None,
        target=target,
        passed=passed,
        comment=comment.format(lag=lag_secs),
    )


def _judge(name: str, value: float, *, found: Mapping[str, np.ndarray]) -> tuple[str | None, bool | None]:
    """Hold a mean over seeds against its target, if there is one."""
    if name in _CONTROLS:
        bound = max(float(np.ptp(found["ba"])), float(np.ptp(found[_CONTROLS[name]])))
        return f"> {bound:.3f}", value > bound
    if name == "div_ratio":
        return f"{1 - DIVERSITY_WITHIN:g} to {1 + DIVERSITY_WITHIN:g}", abs(value - 1.0) <= DIVERSITY_WITHIN
    return None, None


def _table(section: GestureSection) -> list[str]:
    """Lay out a part's rows; the column of another model is there where one was measured."""
    head = ["measure", "value", "spread", "target", "ok", "true motion", section.compared or "", "note"]
    cells = [head, *(_cells(row) for row in section.rows)]
    if section.compared is None:
        cells = [[*row[:6], row[7]] for row in cells]
    return aligned(cells, left=(0, len(cells[0]) - 1))


def _cells(row: SeedRow) -> list[str]:
    judged = {True: "yes", False: "NO", None: ""}[row.passed]
    value, spread, truth, compared = (
        _text(number) for number in (row.value, row.spread, row.truth, row.compared)
    )
    return [row.label, value, spread, row.target or "", judged, truth, compared, row.comment]


def _text(number: float | None) -> str:
    """Three decimals, because margins and spreads are small."""
    return "-" if number is None else f"{number:.3f}"
