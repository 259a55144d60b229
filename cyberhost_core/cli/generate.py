"""`cyberhost generate`: a portrait, and a voice, hands or a video, become a video, with any system."""

import dataclasses
import json
import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .running import animate, read_inputs, summary
from .sampling_options import AudioScale, ClassifiersFile, Device, DType, PartsMethod, ReferenceScale

if TYPE_CHECKING:
    from ..guidance.parts import PartsGuidance
    from ..hands.conventions import Conventions

LARGEST_SCALE = 16


class OneHand(StrEnum):
    """The only hand that is made."""

    LEFT = "left"
    RIGHT = "right"


class Handedness(StrEnum):
    """Whose left the left hands of a file are."""

    OWN = "own"
    MIRRORED = "mirrored"


class WhenShort(StrEnum):
    """What to do where a hand track or a video ends before the voice."""

    HOLD = "hold last"
    LOOP = "loop"
    ERROR = "error"


def _not_negative(wanted: tuple[float, ...] | None) -> tuple[float, ...] | None:
    if wanted is not None and not all(math.isfinite(each) and each >= 0 for each in wanted):
        raise typer.BadParameter(f"{' '.join(f'{each:g}' for each in wanted)} are not all 0 or more.")
    return wanted


def _fractions(box: tuple[float, float] | None) -> tuple[float, float] | None:
    if box is not None and not all(0 < side <= 1 for side in box):
        raise typer.BadParameter(f"{box[0]} {box[1]} are not both above 0 and at most 1.")
    return box


def _sides(size: tuple[int, int] | None) -> tuple[int, int] | None:
    if size is not None and not all(side > 0 and side % 8 == 0 for side in size):
        raise typer.BadParameter(f"{size[0]} {size[1]} are not both multiples of 8.")
    return size


def generate(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="Portrait: png, jpg, webp; face and upper body in view.")
    ],
    audio: Annotated[
        Path | None,
        typer.Argument(
            metavar="AUDIO",
            help="Voice: wav, mp3, flac, m4a, ogg, or a video with sound. [default: the sound of --video]",
        ),
    ] = None,
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Video to write (.mp4, .m4v, .mov); replaced if it is there.")
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            "-c",
            help="Weights file of any system, or a bundled one: tiny, tiny-emo2 or tiny-paha. "
            "[default: tiny]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same video.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Denoising steps. [default: the weights' own]")
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(help="ddim, dpmpp_2m, euler or unipc. [default: the weights' own]"),
    ] = None,
    reference_scale: ReferenceScale = None,
    audio_scale: AudioScale = None,
    guidance: Annotated[
        PartsMethod | None,
        typer.Option(
            help="Also guide by classifiers of face and of the rest, for closer sound and motion: sequential "
            "is faster, differential better. [default: none]"
        ),
    ] = None,
    guided: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="With --guidance: share of the steps that are guided. [default: 0.5]"
        ),
    ] = None,
    face_weight: Annotated[
        float | None,
        typer.Option(min=0, help="With --guidance: how strongly the face is guided. [default: 0.1]"),
    ] = None,
    rest_weight: Annotated[
        float | None,
        typer.Option(min=0, help="With --guidance: how strongly all but the face is guided. [default: 1]"),
    ] = None,
    classifiers: ClassifiersFile = None,
    fps: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=120,
            help="Frames per second. [default: the weights' own; AnimateAnyone: that of --video]",
        ),
    ] = None,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="WIDTH HEIGHT",
            callback=_sides,
            help="Pixels, multiples of 8; all but the bundled weights. [default: the weights' own]",
        ),
    ] = None,
    scale: Annotated[
        int, typer.Option(min=1, max=LARGEST_SCALE, help="Enlarge the written frames, whole steps.")
    ] = 1,
    device: Device = None,
    dtype: DType = None,
    hands: Annotated[
        Path | None,
        typer.Option(
            help="CyberHost, EMO2, EchoMimicV2: a hand track that drives the hands; ours, npz of SMPL-X or "
            "MANO, or MediaPipe's landmarks."
        ),
    ] = None,
    hands_fps: Annotated[
        float | None,
        typer.Option(
            min=1, max=1000, help="Frame rate of another program's --hands. [default: as the file says]"
        ),
    ] = None,
    hands_mean: Annotated[
        str | None,
        typer.Option(
            metavar="included|FILE",
            help="SMPL-X's or MANO's --hands: whether finger turns include the mean pose, or the SMPL-X "
            "model file that holds it.",
        ),
    ] = None,
    hands_handedness: Annotated[
        Handedness | None,
        typer.Option(
            help="MANO's or MediaPipe's --hands: left is the person's own, or as in a mirror (HaMeR's left "
            "hands)."
        ),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(
            help="All but Hallo: a clip whose person drives, the whole body (CyberHost, AnimateAnyone) or "
            "the hands (EMO2, EchoMimicV2)."
        ),
    ] = None,
    when_short: Annotated[
        WhenShort | None,
        typer.Option(
            help="Where --hands or --video ends before the voice; AnimateAnyone has no such. "
            "[default: hold last]"
        ),
    ] = None,
    movement: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="WIDTH HEIGHT",
            callback=_fractions,
            help="CyberHost: box the body moves in, as parts of the picture, 0 to 1. "
            "[default: the weights' own]",
        ),
    ] = None,
    hand_clarity: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="CyberHost: how clear hands are to be, 0 to 1. [default: high]"),
    ] = None,
    gestures: Annotated[
        Path | None,
        typer.Option(help="EMO2: weights that make hands from the voice. [default: the bundled ones]"),
    ] = None,
    amplitude: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LEFT RIGHT",
            callback=_not_negative,
            help="EMO2: how far hands made from the voice go; 1 is usual. [default: as the voice asks]",
        ),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            help="EMO2: of hands made from the voice: speaking, singing, dance; the bundled weights know "
            "speaking alone. [default: speaking]"
        ),
    ] = None,
    one_hand: Annotated[
        OneHand | None,
        typer.Option(
            help="EMO2: make this hand alone from the voice; the bundled weights always move both, and the "
            "other is left out. [default: both]"
        ),
    ] = None,
    region_weights: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar="BODY FACE LIPS",
            callback=_not_negative,
            help="Hallo: how much head and body, face, and lips follow the voice. [default: 1 1 1]",
        ),
    ] = None,
    pose_detector: Annotated[
        Path | None,
        typer.Option(
            help="DWPose file (ONNX) or people detector. [default: the bundled one, for drawn puppets]"
        ),
    ] = None,
    face_network: Annotated[
        Path | None,
        typer.Option(
            help="CyberHost, Hallo: face identity network (ONNX). [default: the bundled one, for drawn "
            "puppets]"
        ),
    ] = None,
    clip_vision: Annotated[
        Path | None,
        typer.Option(help="AnimateAnyone: folder of CLIP's vision tower (clip-vit-large-patch14)."),
    ] = None,
    vae: Annotated[
        Path | None,
        typer.Option(
            help="Autoencoder: in a checkpoint, or sd-vae-ft-mse. [default: the one in --checkpoint]"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Make the person in IMAGE speak the words in AUDIO, or follow hands or a video.

    The video is as long as the sound, whose last frame is whole; the sound is stored as AAC. AnimateAnyone
    hears nothing: its video is as long as --video, and a sound is carried along.

    \b
    What drives each system, beside IMAGE:
      CyberHost      voice [--movement] [--hand-clarity], with --hands, or following --video
      PAHA           voice
      EMO2           voice, hands made from it [--gestures --amplitude --style --one-hand], or
                     --hands or --video
      EchoMimicV2    voice, and --hands or --video
      Hallo          voice [--region-weights]
      AnimateAnyone  --video, and --clip-vision
    An option that the system does not use is refused.

    \b
    Examples:
      cyberhost generate me.png talk.wav -o me.mp4
      cyberhost generate me.png talk.mp3 -o me.mp4 --seed 7 --steps 20 --audio-scale 6
      cyberhost generate me.png talk.wav -o me.mp4 --hands track.json
      cyberhost generate me.png talk.wav -o me.mp4 --hands beat2.npz --hands-mean SMPLX_NEUTRAL_2020.npz
      cyberhost generate me.png -o me.mp4 --video clip.mp4
      cyberhost generate me.png talk.wav -o me.mp4 -c tiny-emo2 --amplitude 1.3 1
      cyberhost generate me.png talk.wav -o me.mp4 -c tiny-paha
      cyberhost generate me.jpg talk.wav -o me.mp4 -c hallo.safetensors --device cuda \\
        --pose-detector dw-ll_ucoco_384.onnx --face-network glintr100.onnx
    """
    inputs = read_inputs(image, audio, out=out)
    from ..pipeline.options import Driving, GenerateOptions, Networks  # here: torch takes seconds

    options = GenerateOptions(
        seed=seed,
        steps=steps,
        reference_scale=reference_scale,
        audio_scale=audio_scale,
        guidance=_by_parts(
            guidance, {"guided": guided, "face_weight": face_weight, "non_face_weight": rest_weight}
        ),
        fps=fps,
        driving=Driving(
            movement=movement,
            track=hands,
            conventions=_told(hands_fps, hands_mean, hands_handedness),
            video=video,
            when_short=None if when_short is None else when_short.value,
            gestures=gestures,
            amplitude=amplitude,
            style=style,
            one_hand=None if one_hand is None else one_hand.value,
        ),
        hand_clarity=hand_clarity,
        region_weights=region_weights,
        sampler=sampler,
        size=None if size is None else (size[1], size[0]),
        scale=scale,
    )
    networks = Networks(
        pose_detector=pose_detector,
        face_network=face_network,
        clip_vision=clip_vision,
        vae=vae,
        classifiers=classifiers,
    )
    report = animate(
        inputs,
        options=options,
        checkpoint=checkpoint,
        networks=networks,
        device=device,
        dtype=dtype,
        quiet=quiet,
    )
    typer.echo(json.dumps(dataclasses.asdict(report), default=str) if as_json else summary(report))


def _told(fps: float | None, mean: str | None, handedness: Handedness | None) -> "Conventions | None":
    """Gather what was told about a hand track of another program; None: nothing."""
    from ..hands.conventions import INCLUDED, NOTHING_TOLD, Conventions

    told = Conventions(
        fps=fps,
        hand_mean=None if mean is None else INCLUDED if mean == INCLUDED else Path(mean),
        handedness=None if handedness is None else handedness.value,
    )
    return None if told == NOTHING_TOLD else told


def _by_parts(method: PartsMethod | None, chosen: Mapping[str, float | None]) -> "PartsGuidance | None":
    """Build a guidance by parts; what was not chosen is the paper's."""
    from ..guidance.parts import DifferentialGuidance, SequentialGuidance

    given = {name: value for name, value in chosen.items() if value is not None}
    if method is None:
        if given:
            raise ConfigError(
                "A share of guided steps, or a weight of a part, was given without a guidance that uses "
                "it; choose one with --guidance, or leave it out."
            )
        return None
    by_parts = {PartsMethod.SEQUENTIAL: SequentialGuidance, PartsMethod.DIFFERENTIAL: DifferentialGuidance}
    return by_parts[method](**given)
