"""`cyberhost evaluate classifiers`: how often what guidance by parts asks is right."""

from pathlib import Path
from typing import Annotated

import typer

from .. import bundled
from .sampling_options import ClassifiersFile


def classifiers(
    store: Annotated[
        Path, typer.Argument(metavar="STORE", help="Held-out videos, from 'prepare store' or 'footage'.")
    ],
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", "-c", help="Weights file whose clips they judge.")
    ],
    generated: Annotated[
        Path, typer.Option(help="Made by 'prepare generated' of the same store and weights.")
    ],
    file: ClassifiersFile = None,
    clips: Annotated[int, typer.Option(min=1, help="How many of the generated clips.")] = 24,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames of each. [default: all of a generated clip]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Ask classifiers about held-out clips: real ones, with the sound of another moment, and generated.

    \b
    Example:
      cyberhost evaluate classifiers work/held-out -c mine.safetensors --generated work/generated-held-out
    """
    from ..exams.guidance.classifier_exam import ClassifierExam, examine_classifiers  # torch takes seconds

    report = examine_classifiers(
        bundled.checkpoint(checkpoint),
        classifiers=file,
        store=store,
        generated=generated,
        exam=ClassifierExam(clips=clips, frames=frames, seed=seed),
    )
    typer.echo(report.to_json() if as_json else report.to_text())
