"""How often are classifiers of parts right about held-out clips, at which noise?

real clips beside others with the sound of another moment, and beside those that the model made
   --both classifiers, part alone, five timesteps--> a row per part and kind of wrong clips
"""

import json
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import torch

from ...checkpoints.classifiers import classifiers_of, load_classifiers
from ...checkpoints.file import open_checkpoint, system_model
from ...config import Config, Count
from ...data.generated import GeneratedClips
from ...data.store import PreparedVideos
from ...reports.machine import describe_machine
from ...reports.tables import aligned
from ...training.classifiers.accuracy import TIMESTEPS, Accuracy, classifier_accuracy

NOTE = (
    "Share of pairs whose real clip is judged to fit better (a coin: 0.5); in brackets, share of clips on "
    "the right side of one half."
)


class ClassifierExam(Config):
    """What is asked; frames: None: as long as the generated clips are."""

    clips: Count = 24
    frames: Count | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ClassifierReport:
    """All rows of a run, and what they were measured on; rows come part by part, timesteps last."""

    title: str
    machine: str
    settings: dict[str, object]
    rows: list[Accuracy]

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Write as an aligned table of plain text, a column per timestep."""
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        head = ["classifier", "real against", *(f"t = {timestep}" for timestep in TIMESTEPS)]
        cells = [
            [part, against, *(f"{one.ordered:.2f} ({one.right:.2f})" for one in of_kind)]
            for (part, against), of_kind in groupby(self.rows, key=lambda one: (one.part, one.against))
        ]
        return "\n".join(
            [self.title, self.machine, settings, "", *aligned([head, *cells], left=(0, 1)), "", NOTE]
        )


def examine_classifiers(
    path: Path, *, classifiers: Path | None, store: Path, generated: Path, exam: ClassifierExam
) -> ClassifierReport:
    """Examine the classifiers of a checkpoint; None: those beside it.

    Raises:   CheckpointError, StoreError: a file cannot be used
    """
    model = system_model(open_checkpoint(path), dtype=torch.float32)
    judges = classifiers or classifiers_of(path)
    made = GeneratedClips(generated)
    frames = exam.frames or made.index.frames
    found = classifier_accuracy(
        load_classifiers(judges, model.spec),
        model,
        PreparedVideos(store),
        made,
        frames=frames,
        clips=exam.clips,
        seed=exam.seed,
    )
    return ClassifierReport(
        title=f"Classifiers of parts in {judges}",
        machine=describe_machine(),
        settings={**exam.model_dump(), "frames": frames},
        rows=sorted(found, key=lambda one: (one.part, one.against, one.timestep)),
    )
