"""`cyberhost evaluate gestures`: how well hands follow a voice."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .. import bundled
from .running import progress_bars


def gestures(
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", "-c", help="Gesture model. [default: the bundled puppet gestures]"),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="Another gesture model, measured beside it on the same voices.")
    ] = None,
    speech: Annotated[
        Path | None,
        typer.Option(help="Speech encoder that the model was trained with. [default: the bundled one]"),
    ] = None,
    voices: Annotated[int, typer.Option(min=2, max=6, help="Sounds, of two held-out voices each.")] = 6,
    takes: Annotated[int, typer.Option(min=2, max=50, help="Motions per sound and seed.")] = 12,
    seeds: Annotated[int, typer.Option(min=3, max=100, help="How many seeds, from 0 on.")] = 3,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Denoising steps. [default: the weights' own]")
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(help="Weights of stage 2, driven by hands. [default: the bundled ones]"),
    ] = None,
    no_video: Annotated[bool, typer.Option("--no-video", help="Stage 1 alone, which is quicker.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a target is missed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Let held-out voices move hands, and let hands and voices move held-out puppets.

    Measures of hands: beats, diversity, likeness to true motion, amplitude. Of the video: where its hands
    are against where they were driven to, and lip sync.

    Needs the extras audio (onsets) and standalone (reading voices).

    \b
    Examples:
      cyberhost evaluate gestures
      cyberhost evaluate gestures --no-video --seeds 5
      cyberhost evaluate gestures --compare work/arms-run/gestures.safetensors --json
    """
    path = checkpoint or bundled.require(bundled.GESTURES)
    from ..checkpoints.parts import load_speech  # here and not above: torch takes seconds
    from ..exams.gestures.gesture_exam import GestureExam, examine_gestures
    from ..exams.gestures.video_exam import VideoExam, examine_video
    from ..perception.speech import SpeechFeatures
    from ..pipeline.generate import Progress

    exam = GestureExam(voices=voices, takes=takes, seeds=tuple(range(seeds)), steps=steps)
    encoder = SpeechFeatures.from_state_dict(*load_speech(speech or bundled.require(bundled.CHECKPOINT)))
    with progress_bars(quiet=quiet) as show:

        def say(stage: str, done: int, total: int) -> None:
            show(Progress(stage, done, total))

        report = examine_gestures(
            path,
            exam=exam,
            speech=encoder,
            compare=compare,
            say=say,
        )
        if not no_video:
            section = examine_video(
                video or bundled.require(bundled.HANDS_CHECKPOINT),
                gestures=path,
                detector=bundled.require(bundled.POSE_DETECTOR),
                exam=VideoExam(seeds=exam.seeds),
                say=say,
            )
            report = replace(report, sections=[*report.sections, section])
    typer.echo(report.to_json() if as_json else report.to_text())
    raise typer.Exit(code=1 if strict and report.missed else 0)
