"""The exam of guidance by parts: what it reads off clips, its table, and one small run of all of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.backbone.ops import TORCH_OPS
from cyberhost_core.backbone.part_classifier import PartClassifierConfig, PartClassifiers
from cyberhost_core.checkpoints.classifiers import save_classifiers
from cyberhost_core.checkpoints.file import open_checkpoint
from cyberhost_core.errors import ConfigError
from cyberhost_core.exams.guidance.guidance_exam import GuidanceExam, examine_guidance
from cyberhost_core.exams.guidance.guidance_numbers import Seen, per_seed, pooled
from cyberhost_core.exams.guidance.guidance_report import COLUMNS, GuidanceReport, GuidanceRow, measured
from cyberhost_core.metrics.feature_diversity import feature_diversity

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")


def test_diversity_is_the_mean_distance_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    x_ND = rng.standard_normal((5, 3))
    pairs = [np.sqrt(((x_ND[i] - x_ND[j]) ** 2).sum()) for i in range(5) for j in range(i)]
    assert feature_diversity(x_ND) == pytest.approx(np.mean(pairs))
    assert feature_diversity(2 * x_ND) == pytest.approx(2 * np.mean(pairs))
    assert feature_diversity(np.repeat(x_ND[:1], 4, axis=0)) == 0
    with pytest.raises(ConfigError, match="diversity of 1 window"):
        feature_diversity(x_ND[:1])


def clips(*, shift: float, lip: float, seeds: int = 3) -> dict[int, list[Seen]]:
    rng = np.random.default_rng(1)
    return {
        seed: [Seen({"lip_sync": lip + 0.1 * seed}, shift + rng.standard_normal((20, 2)))]
        for seed in range(seeds)
    }


def test_means_are_over_seeds_and_clips_that_cannot_answer_are_left_out() -> None:
    found = clips(shift=0.0, lip=0.5)
    assert per_seed(found, "lip_sync") == pytest.approx([0.5, 0.6, 0.7])
    found[0].append(replace(found[0][0], numbers={"lip_sync": float("nan")}))
    assert per_seed(found, "lip_sync") == pytest.approx([0.5, 0.6, 0.7])


def test_gestures_that_lie_farther_from_true_ones_have_a_larger_fgd_and_few_windows_none() -> None:
    true_ND = np.random.default_rng(2).standard_normal((60, 2))
    near, far = (pooled(clips(shift=shift, lip=0.0), true_ND)["fgd"] for shift in (0.0, 2.0))
    assert near < 0.2 < 6 < far
    assert np.isnan(pooled(clips(shift=0.0, lip=0.0, seeds=1), true_ND[:3])["fgd"])


def test_the_table_has_every_column_and_says_what_was_not_measured() -> None:
    numbers = {name: measured(0.5, 0.125) for name in COLUMNS} | {"fgd": measured(float("nan"))}
    row = GuidanceRow(name="sequential", guided=0.25, numbers=numbers)
    report = GuidanceReport(title="t", machine="m", settings={"actors": 1}, rows=[row])
    (line,) = [line for line in report.to_text().splitlines() if line.startswith("sequential")]
    assert "25%" in line and "0.500 (0.125)" in line and " -" in line
    assert json.loads(report.to_json())["rows"][0]["numbers"]["fgd"]["value"] is None


def test_ways_to_guide_differ_in_method_share_and_part_alone() -> None:
    ways = dict(GuidanceExam(shares=(0.0, 0.5), face_weight=0.3, each_part=True).ways())
    assert list(ways) == [
        "none", "sequential", "differential", "sequential, face alone", "sequential, rest alone",
    ]  # fmt: skip
    assert ways["none"] is None
    weights = {name: (way.face_weight, way.non_face_weight) for name, way in ways.items() if way}
    assert weights["differential"] == (0.3, 1.0)
    assert weights["sequential, face alone"] == (0.3, 0)
    assert weights["sequential, rest alone"] == (0, 1.0)


def test_a_spread_needs_three_seeds(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 seeds were asked for"):
        examine_guidance(
            tmp_path / "none", classifiers=None, exam=GuidanceExam(seeds=(0, 1)), say=lambda *_: None
        )


@pytest.mark.slow
def test_a_small_exam_runs_and_its_first_row_is_not_guided(tmp_path: Path) -> None:
    """Untrained classifiers on the bundled model."""
    pytest.importorskip("librosa")
    spec = open_checkpoint(bundled.CHECKPOINT).spec
    config = PartClassifierConfig(unet=spec.unet, sound=5 * 96, width=16, heads=2, blocks=1)
    torch.manual_seed(0)
    judges = tmp_path / "judges.safetensors"
    save_classifiers(judges, PartClassifiers(config, ops=TORCH_OPS), system=spec.name, training={})
    exam = GuidanceExam(actors=1, frames=12, steps=2, shares=(1.0,), each_part=True, feature_steps=2)
    report = examine_guidance(bundled.CHECKPOINT, classifiers=judges, exam=exam, say=lambda *_: None)
    rows = json.loads(report.to_json())["rows"]
    assert [(row["name"], row["guided"]) for row in rows] == [
        ("none", 0), ("sequential", 1), ("differential", 1),
        ("sequential, face alone", 0.5), ("sequential, rest alone", 0.5), ("true renders", 0),
    ]  # fmt: skip
    for row in rows:
        assert row["numbers"].keys() >= {"lip_sync", "lip_sync_others", "seams"}
        assert -1 <= row["numbers"]["lip_sync"]["value"] <= 1
    ratios = [row["numbers"]["time_ratio"]["value"] for row in rows[:3]]
    assert ratios[0] == 1 and ratios[1] > 1 and ratios[2] > 1, "guidance takes time"
