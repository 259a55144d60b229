"""`cyberhost prepare manifest` and `prepare footage`: real clips into training data (docs/data.md).

manifest   look at a folder of videos: keypoints, fitted hands, and a line for each
footage    encode the clips of a manifest into what both trainers read
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import bundled
from ..errors import ConfigError, CyberHostError
from .running import progress_bars

if TYPE_CHECKING:
    from ..data.footage import Listener
    from ..systems.spec import SystemSpec

_GESTURES_HEAR = "wav2vec2"
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


class Split(StrEnum):
    """Which side of a manifest."""

    TRAIN = "train"
    HELD_OUT = "held_out"


def manifest(
    folder: Annotated[Path, typer.Argument(help="Folder of videos, one person in each.")],
    out: Annotated[
        Path | None, typer.Option(help="Manifest to write. [default: manifest.jsonl in the folder]")
    ] = None,
    pose_detector: Annotated[
        Path | None,
        typer.Option(help="DWPose file (ONNX) or people detector. [default: the bundled one, for puppets]"),
    ] = None,
    style: Annotated[str, typer.Option(help="What people do: speaking, singing or dance.")] = "speaking",
    held_out_every: Annotated[
        int,
        typer.Option(
            min=0,
            help="Keep each person of this number from training, or each recording where the manifest names "
            "nobody; 0: none.",
        ),
    ] = 0,
    licence: Annotated[
        str | None,
        typer.Option(help="Terms that the clips are under, in your words; weights trained on them say so."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Find keypoints and hands in every video of a folder, and list the clips.

    Writes NAME.pose.safetensors and NAME.hands.safetensors beside each video; those already there are kept.
    Videos that cannot be used are left out and named on stderr. Write identities into the manifest and give
    the command again: they are kept, and all clips of a person lie on one side.

    \b
    Example:
      cyberhost prepare manifest clips --pose-detector dw-ll_ucoco_384.onnx --held-out-every 20
    """
    from ..data.manifest_making import make_manifest
    from ..perception.detectors import open_pose_detector
    from ..pipeline.generate import Progress

    def leave_out(path: Path, error: CyberHostError) -> None:
        typer.echo(f"cyberhost: left out {path.name}: {error}", err=True)

    path = out or folder / "manifest.jsonl"
    with progress_bars(quiet=quiet) as show:
        entries = make_manifest(
            folder,
            path,
            detector=open_pose_detector(pose_detector or bundled.require(bundled.POSE_DETECTOR)),
            style=style,
            held_out_every=held_out_every,
            licence=licence,
            say=lambda done, total: show(Progress("look", done, total)),
            leave_out=leave_out,
        )
    typer.echo(f"{path}: {len(entries)} clips")


def footage(
    manifest_path: Annotated[Path, typer.Argument(metavar="MANIFEST", help="One clip per line, JSON.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the store that 'train image' and 'train video' read.")
    ] = None,
    gestures: Annotated[
        Path | None, typer.Option(help="Folder for the store that 'train gestures' reads.")
    ] = None,
    split: Annotated[Split, typer.Option(help="Which clips of the manifest.")] = Split.TRAIN,
    system: Annotated[
        Path | None,
        typer.Option(
            "--for",
            metavar="FILE",
            help="The checkpoint that is to be trained further: its size, rate, autoencoder and way of "
            "hearing are taken where nothing else is said.",
        ),
    ] = None,
    height: Annotated[int | None, typer.Option(min=8, help="Of the pictures, px. [default: 128]")] = None,
    width: Annotated[int | None, typer.Option(min=8, help="Of the pictures, px. [default: 96]")] = None,
    buckets: Annotated[
        int,
        typer.Option(
            min=0,
            help="Let clips keep about their own proportions: in sizes of that area, sides multiples of this "
            "many px (64 for Stable Diffusion's U-Net); 0: one size.",
        ),
    ] = 0,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second that all clips have. [default: 25]")
    ] = None,
    vae: Annotated[
        Path | None,
        typer.Option(
            help="Autoencoder made by 'train vae', a checkpoint that holds one, or sd-vae-ft-mse. "
            "[default: the bundled one]"
        ),
    ] = None,
    speech: Annotated[
        Path | None,
        typer.Option(help="Speech encoder: a wav2vec2 folder, or a checkpoint. [default: the bundled one]"),
    ] = None,
    face: Annotated[
        Path | None,
        typer.Option(help="Face identity network (ONNX). [default: the bundled one, for puppets]"),
    ] = None,
    clip_vision: Annotated[
        Path | None,
        typer.Option(help="Folder of CLIP's vision tower, for a system that takes its vectors."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Encode the clips of a manifest: cropped and resized, checked against their tracks.

    \b
    Examples:
      cyberhost prepare footage clips/manifest.jsonl --out work/store --gestures work/gestures
      cyberhost prepare footage clips/manifest.jsonl --out work/held-out --split held_out
      cyberhost prepare footage clips/manifest.jsonl --out work/store --height 640 --width 384 --buckets 64
      cyberhost prepare footage clips/manifest.jsonl --out work/store --for echomimic-v2.safetensors
    """
    from ..checkpoints.file import open_checkpoint
    from ..checkpoints.picture_encoder import load_picture_encoder
    from ..data.encode import Encoder
    from ..data.footage import FootageFormat, Stores, prepare_footage
    from ..data.manifest import of_split, read_manifest
    from ..perception.clip_image import ClipImage
    from ..perception.face_identity import FaceIdentity
    from ..pipeline.generate import Progress

    if out is None and gestures is None:
        raise ConfigError("No store was named; give --out, --gestures, or both.")
    meant = open_checkpoint(system).spec if system else None
    to = FootageFormat(
        height or (meant.height if meant else 128),
        width or (meant.width if meant else 96),
        fps or (meant.fps if meant else 25.0),
        unit=buckets,
    )
    clips = of_split(read_manifest(manifest_path), split.value)
    videos = None
    if out is not None:
        videos = (
            out,
            Encoder(
                load_picture_encoder(vae or system or bundled.require(bundled.CHECKPOINT)),
                FaceIdentity(face or bundled.require(bundled.FACE_IDENTITY)),
                clip_vision=ClipImage.from_folder(clip_vision) if clip_vision else None,
            ),
        )
    listener = _listener(meant, speech or system or bundled.require(bundled.CHECKPOINT))
    if gestures is not None and (listener is None or listener.hearing != _GESTURES_HEAR):
        raise ConfigError(
            "Gestures are trained on wav2vec2's features, matched to frames, and the system of --for hears "
            "otherwise; prepare the two stores with two commands."
        )
    with progress_bars(quiet=quiet) as show:
        prepare_footage(
            clips,
            Stores(videos=videos, gestures=gestures),
            listener=listener,
            to=to,
            say=lambda done, total: show(Progress("encode", done, total)),
        )
    typer.echo("\n".join(str(folder) for folder in (out, gestures) if folder is not None))


def _listener(meant: "SystemSpec | None", speech: Path) -> "Listener | None":
    """Load what hears the clips; None for a system that hears nothing."""
    from ..checkpoints.parts import load_speech
    from ..conditioners.sound import Sound
    from ..data.footage import Listener
    from ..perception.hearing import load_hearing

    hearings = [sound.hearing for sound in meant.listed(Sound)] if meant else [_GESTURES_HEAR]
    if not hearings:
        return None
    return Listener(hearings[0], load_hearing(hearings[0], *load_speech(speech)))
