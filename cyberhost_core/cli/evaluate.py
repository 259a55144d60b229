"""`cyberhost evaluate`: how good a model is, and how fast.

puppets    held-out puppets and voices, every measure, targets
guidance   what guidance by parts does, method by method, share by share (evaluate_guidance.py)
classifiers    how often what it asks is right (evaluate_classifiers.py)
gestures   hands from held-out voices, the measures of EMO2's table 1 (evaluate_gestures.py)
speed      where the seconds go
segment    one segment of any system at full size, on any device
banks      how sharply the regions attend to their latents banks
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .. import bundled
from .evaluate_classifiers import classifiers
from .evaluate_gestures import gestures
from .evaluate_guidance import guidance
from .running import progress_bars
from .sampling_options import Device
from .systems import (
    SYSTEM_HELP,
    CheckpointInstead,
    DecodedOption,
    FramesOption,
    HeightOption,
    Precision,
    WidthOption,
    chosen_system,
)

evaluate = typer.Typer(
    name="evaluate",
    help="Measure how good a model is (puppets, gestures, guidance, classifiers, banks), or how fast "
    "(speed, segment).",
    no_args_is_help=True,
    rich_markup_mode=None,
)
evaluate.command()(gestures)
evaluate.command()(guidance)
evaluate.command()(classifiers)

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
    from ..exams.puppets.bench import BenchConfig, evaluate_puppets  # here and not above: torch takes seconds

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
    from ..profiling.speed import SpeedConfig, measure_speed  # here and not above: torch takes seconds

    with progress_bars(quiet=quiet) as on_progress:
        report = measure_speed(path, config=SpeedConfig(repeats=repeats), on_progress=on_progress)
    typer.echo(report.to_json() if as_json else report.to_text())


@evaluate.command()
def segment(
    system: Annotated[str, typer.Option(help=f"With random weights: {SYSTEM_HELP}")] = "cyberhost",
    checkpoint: CheckpointInstead = None,
    dtype: Annotated[
        list[Precision] | None,
        typer.Option(help="fp16, bf16 or fp32; may be repeated. [default: fp16, bf16]"),
    ] = None,
    device: Device = None,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Denoising steps. [default: the system's own]")
    ] = None,
    height: HeightOption = None,
    width: WidthOption = None,
    frames: FramesOption = None,
    decoded: DecodedOption = 1,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Runs per time; the median counts.")] = 1,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Time one segment stage by stage: reference, conditions, all steps with guidance, decoding.

    A short run before it warms up. On a CUDA device each stage says how much of its memory it took.

    \b
    Examples:
      cyberhost evaluate segment --system cyberhost --dtype fp16 --dtype bf16 --device cuda
      cyberhost evaluate segment --checkpoint my.safetensors --device cuda
      cyberhost evaluate segment --system cyberhost-tiny --dtype fp32 --device cpu --steps 2
    """
    chosen = chosen_system(system, checkpoint)
    from ..pipeline.devices import usable_device  # here and not above: torch takes seconds
    from ..profiling.random_inputs import Size
    from ..profiling.segment_speed import DTYPES, SegmentConfig, measure_segment

    config = SegmentConfig(
        size=Size.of(chosen.spec, height=height, width=width, frames=frames),
        device=usable_device(device),
        steps=steps or chosen.spec.schedule.steps,
        decoded_frames=decoded,
        repeats=repeats,
    )
    names = dict.fromkeys(one.value for one in dtype or (Precision.FP16, Precision.BF16))
    with progress_bars(quiet=quiet) as on_progress:
        report = measure_segment(
            chosen.spec,
            chosen.autoencoder,
            config=config,
            dtypes={name: DTYPES[name] for name in names},
            checkpoint_path=checkpoint,
            on_progress=on_progress,
        )
    typer.echo(report.to_json() if as_json else report.to_text())


@evaluate.command()
def banks(checkpoint: CheckpointOption = None, as_json: JsonOption = False) -> None:
    """Print the entropy of every layer's attention to its latents banks, on a bundled portrait and voice.

    \b
    Examples:
      cyberhost evaluate banks
      cyberhost evaluate banks --checkpoint my.safetensors --json
    """
    path = checkpoint or bundled.require(bundled.CHECKPOINT)
    from ..exams.bank_attention import examine_banks  # here and not above: torch takes seconds

    report = examine_banks(path)
    typer.echo(report.to_json() if as_json else report.to_text())
