"""`cyberhost evaluate guidance`: what guidance by parts does to lips, gestures and time."""

from pathlib import Path
from typing import Annotated

import typer

from .. import bundled
from .running import progress_bars
from .sampling_options import (
    AudioScale,
    ClassifiersFile,
    Device,
    DType,
    PartsMethod,
    ReferenceScale,
    chosen_place,
)


def guidance(
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", "-c", help="Weights file of a system that hears.")
    ],
    classifiers: ClassifiersFile = None,
    actors: Annotated[int, typer.Option(min=1, max=100, help="Held-out puppets.")] = 4,
    frames: Annotated[int, typer.Option(min=12, help="Frames of each clip.")] = 56,
    seeds: Annotated[int, typer.Option(min=3, max=100, help="How many seeds, from 0 on.")] = 3,
    methods: Annotated[
        list[PartsMethod] | None, typer.Option("--method", help="May be repeated. [default: both]")
    ] = None,
    shares: Annotated[
        list[float] | None,
        typer.Option(
            "--guided", min=0, max=1, help="Share of guided steps; may be repeated. [default: .25 .5 .75 1]"
        ),
    ] = None,
    face_weight: Annotated[float, typer.Option(min=0, help="How strongly the face is guided.")] = 0.1,
    rest_weight: Annotated[float, typer.Option(min=0, help="How strongly all but the face is guided.")] = 1.0,
    each_part: Annotated[
        bool, typer.Option("--each-part", help="Also by one classifier alone, in half of the steps.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Denoising steps. [default: the weights' own]")
    ] = None,
    reference_scale: ReferenceScale = None,
    audio_scale: AudioScale = None,
    device: Device = None,
    dtype: DType = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Make held-out puppets speak without guidance by parts, and with both methods, in more and more steps.

    Lip sync, beats of the hands against onsets (BAS), likeness to true gestures (FGD), diversity, seams and
    time; needs the extras audio (onsets) and train (the features of FGD).

    \b
    Examples:
      cyberhost evaluate guidance -c mine.safetensors
      cyberhost evaluate guidance -c mine.safetensors --guided 0.5 --json
    """
    from ..exams.guidance.guidance_exam import GuidanceExam, examine_guidance  # torch takes seconds
    from ..pipeline.generate import Progress

    place, computed_in = chosen_place(device, dtype)
    exam = GuidanceExam(
        actors=actors,
        frames=frames,
        seeds=tuple(range(seeds)),
        steps=steps,
        reference_scale=reference_scale,
        audio_scale=audio_scale,
        face_weight=face_weight,
        rest_weight=rest_weight,
        each_part=each_part,
    )
    if methods:
        exam = exam.derive(methods=tuple(method.value for method in methods))
    if shares is not None:
        exam = exam.derive(shares=tuple(shares))
    with progress_bars(quiet=quiet) as show:
        report = examine_guidance(
            bundled.checkpoint(checkpoint),
            classifiers=classifiers,
            device=place,
            dtype=computed_in,
            exam=exam,
            say=lambda stage, done, total: show(Progress(stage, done, total)),
        )
    typer.echo(report.to_json() if as_json else report.to_text())
