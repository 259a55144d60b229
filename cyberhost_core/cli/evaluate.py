"""`cyberhost evaluate`: how good a model is, and how fast.

puppets    held-out puppets and voices, every measure, targets
speed      where the seconds go
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .. import bundled
from .running import progress_bars

evaluate = typer.Typer(
    name="evaluate",
    help="Measure how good a model is (puppets), or how fast (speed).",
    no_args_is_help=True,
    rich_markup_mode=None,
)

CheckpointOption = Annotated[
    Path | None,
    typer.Option("--checkpoint", "-c", help="Weights file. [default: the bundled puppet weights]"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


@evaluate.command()
def puppets(
    checkpoint: CheckpointOption = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="3 clips of 24 frames: does everything run? Too short to judge a model."
        ),
    ] = False,
    clips: Annotated[
        int | None, typer.Option(min=1, max=100, help="Held-out puppets. [default: 10, quick 3]")
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=2, help="Frames of each puppet's clip. [default: 60, quick 24]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same clips.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Denoising steps. [default: the weights' own]")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a target is missed.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make held-out puppets speak with held-out voices, and measure lips, hands, movement, identity, seams.

    Beside each number stands what true renders of the same puppets reach by the same measure.

    \b
    Examples:
      cyberhost evaluate puppets --quick
      cyberhost evaluate puppets --json > bench.json
      cyberhost evaluate puppets --checkpoint my.safetensors --steps 10 --strict
    """
    path = checkpoint or bundled.require(bundled.CHECKPOINT)
    from ..metrics.bench import BenchConfig, evaluate_puppets  # here and not above: torch takes seconds

    config = BenchConfig.quick() if quick else BenchConfig()
    clips, frames = clips or config.clips, frames or config.frames
    extras = {name: min(getattr(config, name), clips) for name in ("movement_clips", "clarity_clips")}
    config = replace(config, clips=clips, frames=frames, seed=seed, steps=steps, **extras)
    with progress_bars(quiet=quiet) as on_progress:
        report = evaluate_puppets(path, config=config, on_progress=on_progress)
    typer.echo(report.to_json() if as_json else report.to_text())
    raise typer.Exit(code=1 if strict and report.missed else 0)


@evaluate.command()
def speed(
    checkpoint: CheckpointOption = None,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Runs per time; the median counts.")] = 3,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Time every stage, and how sampling grows with frames, picture size and steps.

    \b
    Examples:
      cyberhost evaluate speed
      cyberhost evaluate speed --repeats 1 --json
    """
    path = checkpoint or bundled.require(bundled.CHECKPOINT)
    from ..metrics.speed import SpeedConfig, measure_speed  # here and not above: torch takes seconds

    with progress_bars(quiet=quiet) as on_progress:
        report = measure_speed(path, config=SpeedConfig(repeats=repeats), on_progress=on_progress)
    typer.echo(report.to_json() if as_json else report.to_text())
