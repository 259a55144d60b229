"""`cyberhost generate`: a portrait and a voice become a video."""

import dataclasses
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .running import animate, read_inputs, summary

LARGEST_SCALE = 16


class WhenShort(StrEnum):
    """What to do where a hand track ends before the voice."""

    HOLD = "hold last"
    LOOP = "loop"
    ERROR = "error"


def _amplitudes(wanted: tuple[float, float] | None) -> tuple[float, float] | None:
    if wanted is not None and not all(side >= 0 for side in wanted):
        raise typer.BadParameter(f"{wanted[0]} {wanted[1]} are not both 0 or more.")
    return wanted


def _fractions(box: tuple[float, float] | None) -> tuple[float, float] | None:
    if box is not None and not all(0 < side <= 1 for side in box):
        raise typer.BadParameter(f"{box[0]} {box[1]} are not both above 0 and at most 1.")
    return box


def generate(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="Portrait: png, jpg, webp; face and upper body in view.")
    ],
    audio: Annotated[
        Path, typer.Argument(metavar="AUDIO", help="Voice: wav, mp3, flac, m4a, ogg, or a video with sound.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Video to write (.mp4, .m4v, .mov); replaced if it is there.")
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint", "-c", help="Weights file, or a bundled one: tiny or tiny-emo2. [default: tiny]"
        ),
    ] = None,
    pose_detector: Annotated[
        Path | None,
        typer.Option(help="Whole-body pose detector (ONNX). [default: the bundled puppet detector]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same video.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Denoising steps. [default: the weights' own]")
    ] = None,
    reference_scale: Annotated[
        float | None, typer.Option(min=0, help="Guidance towards the portrait. [default: the weights' own]")
    ] = None,
    audio_scale: Annotated[
        float | None, typer.Option(min=0, help="Guidance towards the voice. [default: the weights' own]")
    ] = None,
    fps: Annotated[float, typer.Option(min=1, max=120, help="Frames per second of the video.")] = 25.0,
    movement: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="WIDTH HEIGHT",
            callback=_fractions,
            help="Box the body moves in, as parts of the picture, 0 to 1. [default: the weights' own]",
        ),
    ] = None,
    hands: Annotated[
        Path | None,
        typer.Option(help="Hand track that drives instead of the voice, for weights driven by hands."),
    ] = None,
    when_short: Annotated[
        WhenShort, typer.Option(help="What to do where the hand track ends before the voice.")
    ] = WhenShort.HOLD,
    amplitude: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LEFT RIGHT",
            callback=_amplitudes,
            help="How far hands made from the voice go; 1 is usual. [default: as the voice asks]",
        ),
    ] = None,
    style: Annotated[
        str, typer.Option(help="Of hands made from the voice: speaking, singing, dance.")
    ] = "speaking",
    gestures: Annotated[
        Path | None, typer.Option(help="Weights that make hands from the voice. [default: the bundled ones]")
    ] = None,
    hand_clarity: Annotated[
        float | None, typer.Option(min=0, max=1, help="How clear hands are to be, 0 to 1. [default: high]")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="Sampler by name. [default: the weights' own]")] = None,
    scale: Annotated[
        int, typer.Option(min=1, max=LARGEST_SCALE, help="Enlarge the written frames, whole steps.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Make the person in IMAGE speak the words in AUDIO.

    The video is as long as the sound (the last frame is whole), and carries the sound as it is in the file.

    \b
    Examples:
      cyberhost generate me.png talk.wav -o me.mp4
      cyberhost generate me.png talk.mp3 -o me.mp4 --seed 7 --steps 20 --audio-scale 6
      cyberhost generate me.png talk.wav -o me.mp4 --movement 0.3 0.2 --json
      cyberhost generate me.png talk.wav -o me.mp4 --checkpoint tiny-emo2 --amplitude 1.3 1
    """
    inputs = read_inputs(image, audio, out=out)
    from ..pipeline.driving import Driving
    from ..pipeline.talker import GenerateOptions, Networks  # here: torch takes seconds, --help should not

    options = GenerateOptions(
        seed=seed,
        steps=steps,
        reference_scale=reference_scale,
        audio_scale=audio_scale,
        fps=fps,
        driving=Driving(
            movement=movement,
            track=hands,
            when_short=when_short.value,
            gestures=gestures,
            amplitude=amplitude,
            style=style,
        ),
        hand_clarity=hand_clarity,
        sampler=sampler,
        scale=scale,
    )
    networks = Networks(pose_detector=pose_detector)
    report = animate(inputs, options=options, checkpoint=checkpoint, networks=networks, quiet=quiet)
    typer.echo(json.dumps(dataclasses.asdict(report), default=str) if as_json else summary(report))
