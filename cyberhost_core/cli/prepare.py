"""`cyberhost prepare`: make training data.

clips      render puppets: pixels, keypoints, sound
store      encode rendered clips into what the trainer reads
generated  clips that a model makes itself, from which its classifiers learn
gestures   puppets' hands and what they hear, for EMO2's stage 1; nothing is rendered
manifest, footage   real clips (prepare_footage.py)
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .. import bundled
from .prepare_footage import footage, manifest
from .running import progress_bars
from .sampling_options import AudioScale, Device, DType, ReferenceScale, chosen_place

prepare = typer.Typer(name="prepare", help="Make training data.", no_args_is_help=True, rich_markup_mode=None)
prepare.command()(manifest)
prepare.command()(footage)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


@prepare.command()
def clips(
    out: Annotated[Path, typer.Argument(help="Folder for the clips; those already there are kept.")],
    count: Annotated[int, typer.Option(min=1, help="How many clips.")] = 1800,
    first: Annotated[
        int, typer.Option(min=0, help="Number of the first: several processes can share the work.")
    ] = 0,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Identities and voices kept from training.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Render talking puppets (needs espeak-ng, and the extras detect and standalone).

    \b
    Examples:
      cyberhost prepare clips work/clips
      cyberhost prepare clips work/clips-held-out --held-out --count 40
    """
    from ..pipeline.generate import Progress
    from ..puppets.clips import render_clips

    split = "held_out" if held_out else "train"
    with progress_bars(quiet=quiet) as show:
        render_clips(
            out,
            range(first, first + count),
            split=split,
            say=lambda done, total: show(Progress("render", done, total)),
        )
    typer.echo(str(out))


@prepare.command()
def store(
    clips_folder: Annotated[Path, typer.Argument(metavar="CLIPS", help="Folder made by 'prepare clips'.")],
    out: Annotated[Path, typer.Argument(help="Folder for the store.")],
    vae: Annotated[Path, typer.Option(help="Autoencoder made by 'train vae', or a checkpoint.")],
    speech: Annotated[Path, typer.Option(help="Speech encoder: a wav2vec2 folder, or a checkpoint.")],
    face: Annotated[
        Path | None, typer.Option(help="Face identity network (ONNX). [default: the bundled one]")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Encode clips: latents, keypoints, hand clarity, speech features, reference crops.

    \b
    Example:
      cyberhost prepare store work/clips work/store --vae work/vae.safetensors --speech work/speech
    """
    from ..checkpoints.parts import load_speech
    from ..checkpoints.picture_encoder import load_picture_encoder
    from ..data.encode import Encoder
    from ..perception.face_identity import FaceIdentity
    from ..perception.pose import PoseDetector
    from ..perception.speech import SpeechFeatures
    from ..pipeline.generate import Progress
    from ..puppets.clips import prepare_store

    encoder = Encoder(load_picture_encoder(vae), FaceIdentity(face or bundled.require(bundled.FACE_IDENTITY)))
    with progress_bars(quiet=quiet) as show:
        prepare_store(
            clips_folder,
            out,
            encoder=encoder,
            speech=SpeechFeatures.from_state_dict(*load_speech(speech)),
            detector=PoseDetector(bundled.require(bundled.POSE_DETECTOR)),
            say=lambda done, total: show(Progress("encode", done, total)),
        )
    typer.echo(str(out))


class References(StrEnum):
    """Which frames of a video may be references."""

    ANY = "any"
    FIRST = "first"


@prepare.command()
def generated(
    store_folder: Annotated[
        Path, typer.Argument(metavar="STORE", help="Folder made by 'prepare store' or 'prepare footage'.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder for the clips; those already there are kept.")],
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", "-c", help="Weights file whose clips classifiers are to know.")
    ],
    count: Annotated[int, typer.Option("--clips", min=1, help="How many clips.")] = 400,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames of each. [default: those of a segment]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of the sampler. [default: the weights' own]")
    ] = None,
    reference_scale: ReferenceScale = None,
    audio_scale: AudioScale = None,
    references: Annotated[
        References, typer.Option(help="Frames of a video that may be the reference of a clip.")
    ] = References.ANY,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same clips.")] = 0,
    device: Device = None,
    dtype: DType = None,
    quiet: Quiet = False,
) -> None:
    """Let a model make clips for the sound of prepared videos: its classifiers tell them from real ones.

    \b
    Examples:
      cyberhost prepare generated work/store work/generated -c mine.safetensors --frames 24
      cyberhost prepare generated work/store work/fast -c mine.safetensors --reference-scale 1 --audio-scale 1
    """
    from ..checkpoints.file import open_checkpoint, system_model
    from ..data.store import PreparedVideos
    from ..pipeline.generate import Progress
    from ..sampling.denoise import SamplingOptions
    from ..training.classifiers.negatives import NegativesConfig, prepare_generated

    place, computed_in = chosen_place(device, dtype)
    model = system_model(open_checkpoint(bundled.checkpoint(checkpoint)), dtype=computed_in).to(place)
    config = NegativesConfig(
        clips=count, frames=frames or model.spec.long_video.frames, references=references.value
    )
    schedule = model.spec.schedule
    options = SamplingOptions(
        schedule=schedule.derive(steps=steps or schedule.steps),
        guidance=model.spec.guidance.with_scales(reference=reference_scale, audio=audio_scale),
        seed=seed,
    )
    with progress_bars(quiet=quiet) as show:
        prepare_generated(
            model,
            PreparedVideos(store_folder),
            out,
            config,
            options,
            say=lambda done, total: show(Progress("generate", done, total)),
        )
    typer.echo(str(out))


@prepare.command()
def gestures(
    out: Annotated[Path, typer.Argument(help="Folder for the store; clips already there are kept.")],
    count: Annotated[int, typer.Option(min=1, help="How many clips.")] = 2000,
    speech: Annotated[
        Path | None,
        typer.Option(help="Speech encoder: a wav2vec2 folder, or a checkpoint. [default: the bundled one]"),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Let puppets of the training side gesture to voices (needs espeak-ng, and the extra standalone).

    Nothing is rendered: 2000 clips, 1.1 GB, take about ten minutes of one core.

    \b
    Examples:
      cyberhost prepare gestures work/gestures
      cyberhost prepare gestures work/gestures-large --speech wav2vec2-base-960h
    """
    from ..checkpoints.parts import load_speech
    from ..perception.speech import SpeechFeatures
    from ..pipeline.generate import Progress
    from ..puppets.gesture_clips import prepare_gestures

    encoder = SpeechFeatures.from_state_dict(*load_speech(speech or bundled.require(bundled.CHECKPOINT)))
    with progress_bars(quiet=quiet) as show:
        prepare_gestures(
            out,
            range(count),
            speech=encoder,
            say=lambda done, total: show(Progress("gestures", done, total)),
        )
    typer.echo(str(out))
