"""The exam of guidance by parts: the same puppets, voices and noise, guided in more and more of the steps.

held-out puppet + voice, seed --no guidance by parts, sequential, differential--> clips --> measures --> rows
                              --renderer---------------------------------------> clips --> the same

Source: PAHA table 2
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from ...conditioners.drawn_maps import DrawnMaps
from ...config import Config, Count, Share
from ...errors import ConfigError
from ...guidance.parts import DifferentialGuidance, NotNegative, PartsGuidance, SequentialGuidance
from ...metrics.gesture_features import GestureFeatures
from ...pipeline.options import Networks
from ...pipeline.talker import Talker
from ...reports.machine import describe_machine
from ..gestures.feature_training import FEATURES_LOOP
from ..gestures.gesture_exam import puppet_features
from ..puppets.takes import Actor, Clip, Model, Stage, Take, Truth, cast_actors
from .guidance_numbers import Heard, Seen, heard_voices, per_seed, pooled, read_clip
from .guidance_report import GuidanceReport, GuidanceRow, Measured, measured

Say = Callable[[str, int, int], None]  # (stage, done, total)
Method = Literal["sequential", "differential"]
LEAST_SEEDS = 3
_USUAL_BOX = (0.15, 0.06)  # of true renders of systems that are not driven by a box
_BY_SEED = ("lip_sync", "lip_sync_others", "bas", "seams", "seconds_per_segment")


class GuidanceExam(Config):
    """What is asked: every actor once for every seed and way to guide.

    shares: of guided steps, each with every method; without guidance by parts comes first, in any case.
    each_part: also ask one of the classifiers alone, sequentially, in half of the steps (table 3)
    """

    actors: Count = 4
    frames: Count = 56
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: Count | None = None
    reference_scale: NotNegative | None = None
    audio_scale: NotNegative | None = None
    methods: tuple[Method, ...] = ("sequential", "differential")
    shares: tuple[Share, ...] = (0.25, 0.5, 0.75, 1.0)
    face_weight: NotNegative = 0.1
    rest_weight: NotNegative = 1.0
    each_part: bool = False
    feature_steps: Count = FEATURES_LOOP.steps

    def ways(self) -> list[tuple[str, PartsGuidance | None]]:
        """Give every way to guide, with the name of its row."""
        weights = {"face_weight": self.face_weight, "non_face_weight": self.rest_weight}
        guidances = {"sequential": SequentialGuidance, "differential": DifferentialGuidance}
        guided = [
            (method, guidances[method](**weights, guided=share))
            for method in self.methods
            for share in self.shares
            if share
        ]
        alone = [
            (f"sequential, {part} alone", SequentialGuidance(**{**weights, other: 0}, guided=0.5))
            for part, other in (("face", "non_face_weight"), ("rest", "face_weight"))
        ]
        return [("none", None), *guided, *(alone if self.each_part else [])]


@dataclass(frozen=True, eq=False)
class _Set:
    """All that is the same in every row."""

    exam: GuidanceExam
    actors: Sequence[Actor]
    box: tuple[float, float]
    kept: int
    voices: Mapping[str, Heard]
    features: GestureFeatures

    def shot(self, stage: Stage, tell: Callable[[], None]) -> dict[int, list[Seen]]:
        """Shoot every actor once per seed, and read the clips."""
        found: dict[int, list[Seen]] = {}
        for seed in self.exam.seeds:
            found[seed] = []
            for number, actor in enumerate(self.actors):
                take = Take(seed=1000 * seed + number, frames=self.exam.frames, movement=self.box)
                clip: Clip = stage.shoot(actor, take)
                found[seed].append(
                    read_clip(clip, voices=self.voices, features=self.features, kept=self.kept)
                )
                tell()
        return found


def examine_guidance(
    path: Path,
    *,
    classifiers: Path | None,
    exam: GuidanceExam,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    say: Say,
) -> GuidanceReport:
    """Examine a checkpoint with its classifiers; None: those beside it.

    Raises:   ConfigError: fewer than three seeds; CheckpointError: a file cannot be used;
              MissingExtraError: librosa or accelerate is not installed
    """
    if len(exam.seeds) < LEAST_SEEDS:
        raise ConfigError(
            f"{len(exam.seeds)} seeds were asked for, but a spread needs at least {LEAST_SEEDS}; ask for "
            "more."
        )
    voices = heard_voices()  # asks for librosa, before anything long begins
    talker = Talker.load(path, networks=Networks(classifiers=classifiers), device=device, dtype=dtype)
    ways = exam.ways()
    boxes = [maps.box for maps in talker.spec.listed(DrawnMaps) if maps.drawing == "movement"]
    stage = _Set(
        exam=exam,
        actors=cast_actors(talker, count=exam.actors),
        box=boxes[0] if boxes else _USUAL_BOX,
        kept=talker.spec.long_video.kept,
        voices=voices,
        features=puppet_features(steps=exam.feature_steps, say=say),
    )
    tell = _counter(say, total=(len(ways) + 1) * len(exam.seeds) * len(stage.actors))
    truth = Truth(talker.pose_detector, height=talker.spec.height, width=talker.spec.width)
    true = stage.shot(truth, tell)
    true_ND = np.concatenate([seen.features_ND for of_seed in true.values() for seen in of_seed])
    rows: list[GuidanceRow] = []
    for name, way in ways:
        model = Model(
            talker,
            steps=exam.steps,
            guided=way,
            reference_scale=exam.reference_scale,
            audio_scale=exam.audio_scale,
        )
        found = stage.shot(model, tell)
        rows.append(_row(name, way.guided if way else 0.0, found, true_ND))
    return GuidanceReport(
        title=f"Guidance by parts of {path}",
        machine=describe_machine(),
        settings={
            **exam.model_dump(exclude_none=True),
            "steps": exam.steps or talker.spec.schedule.steps,
            "computed in": str(dtype).removeprefix("torch."),
        },
        rows=[*_with_times(rows), _row("true renders", 0.0, true, true_ND, is_true=True)],
    )


def _row(  # noqa: PLR0917
    name: str,
    share: float,
    found: dict[int, list[Seen]],
    true_ND: np.ndarray,
    *,
    is_true: bool = False,
) -> GuidanceRow:
    by_seed = {measure: per_seed(found, measure) for measure in _BY_SEED}
    numbers = {
        measure: measured(float(values.mean()), float(np.ptp(values))) for measure, values in by_seed.items()
    }
    together = pooled(found, true_ND)
    numbers |= {measure: measured(value) for measure, value in together.items()}
    if is_true:  # a set and itself have no distance, and rendering takes another time
        numbers |= {"fgd": Measured(value=None), "seconds_per_segment": Measured(value=None)}
    return GuidanceRow(name=name, guided=share, numbers=numbers)


def _with_times(rows: Sequence[GuidanceRow]) -> list[GuidanceRow]:
    """Set every row's time beside that of the first, which is not guided by parts."""

    def seconds(row: GuidanceRow) -> float:
        return row.numbers["seconds_per_segment"].value or float("nan")

    return [
        GuidanceRow(
            name=row.name,
            guided=row.guided,
            numbers={**row.numbers, "time_ratio": measured(seconds(row) / seconds(rows[0]))},
        )
        for row in rows
    ]


def _counter(say: Say, *, total: int) -> Callable[[], None]:
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        say("shoot", done, total)

    say("shoot", 0, total)
    return tell
