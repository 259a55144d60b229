"""`cyberhost train`: every part of the tiny model, and either stage of any recipe.

speech, face, pose    small twins of the outside networks
vae                   the autoencoder, or its decoder alone
image, video          the two stages of section 4.1
pose-discriminator    the network behind the pose loss (train_discriminator.py)
classifiers           of face and of the rest, for guidance by parts (train_classifiers.py)
gestures              EMO2's stage 1, hands from sound (train_gestures.py)
recipe                what image and video go by (train_recipe.py)
pack                  join the parts into one checkpoint
"""

import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .running import shown_losses
from .train_classifiers import classifiers
from .train_discriminator import pose_discriminator
from .train_gestures import gestures
from .train_recipe import Changes, RecipeSource, read_recipe, recipe

if TYPE_CHECKING:
    from ..training.loop import LoopConfig
    from ..training.runs import RunFiles

train = typer.Typer(
    name="train", help="Train a model, part by part.", no_args_is_help=True, rich_markup_mode=None
)
train.command()(pose_discriminator)
train.command()(classifiers)
train.command()(gestures)
train.command()(recipe)

Steps = Annotated[int | None, typer.Option(min=1, help="How many steps. [default: the recipe's]")]
Until = Annotated[
    int | None,
    typer.Option(min=1, help="Stop after this step of the schedule; give the command again to go on."),
]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same run.")]
Start = Annotated[
    list[Path] | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="Weights to start from: model.safetensors of an earlier stage or run, or a checkpoint. May be "
        "given again: the first file that has a weight of this name and shape gives it.",
    ),
]
HeldOut = Annotated[Path | None, typer.Option(help="Store of held-out videos, for validation.")]
VaeFile = Annotated[
    Path | None,
    typer.Option(
        "--vae",
        help="Autoencoder, for sampled pictures in validation: made by 'train vae', in a checkpoint, or "
        "sd-vae-ft-mse.",
    ),
]

SPEECH_VOICES, STILL_PUPPETS = 700, 1366


class StoredPrecision(StrEnum):
    """How the weights of a checkpoint are stored."""

    EIGHT_BIT = "8bit"
    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"


@train.command()
def speech(
    out: Path, steps: Steps = None, until: Until = None, seed: Seed = 0, cache: Path = Path("work/voices")
) -> None:
    """Train the speech twin on espeak-ng voices; OUT becomes a wav2vec2 folder."""
    from ..training.twins.loops import SPEECH_LOOP
    from ..training.twins.speech import train_speech_twin
    from ..training.twins.speech_sounds import cached_voices

    voices = cached_voices(cache, count=SPEECH_VOICES, split="train")
    loop = _loop(SPEECH_LOOP, steps)
    _tell(train_speech_twin(voices, out, loop=loop, seed=seed, until=until, show=shown_losses(loop)))


@train.command()
def face(
    out: Path, steps: Steps = None, until: Until = None, seed: Seed = 0, cache: Path = Path("work/stills")
) -> None:
    """Train the face identity twin; OUT becomes an ONNX file with ArcFace's form, beside a .safetensors."""
    from ..training.twins.face import train_face_twin
    from ..training.twins.loops import FACE_LOOP

    loop = _loop(FACE_LOOP, steps)
    stills = _stills(cache)
    _tell(train_face_twin(stills, out, loop=loop, seed=seed, until=until, show=shown_losses(loop)))


@train.command()
def pose(
    out: Path, steps: Steps = None, until: Until = None, seed: Seed = 0, cache: Path = Path("work/stills")
) -> None:
    """Train the whole-body pose twin; OUT becomes an ONNX file with DWPose's form, beside a .safetensors."""
    from ..training.twins.loops import POSE_LOOP
    from ..training.twins.pose import train_pose_twin

    loop = _loop(POSE_LOOP, steps)
    stills = _stills(cache)
    _tell(train_pose_twin(stills, out, loop=loop, seed=seed, until=until, show=shown_losses(loop)))


@train.command()
def vae(
    clips: Annotated[Path, typer.Argument(help="Folder made by 'prepare clips'.")],
    out: Path,
    steps: Steps = None,
    until: Until = None,
    seed: Seed = 0,
    decoder_of: Annotated[
        Path | None,
        typer.Option(help="Go on with this autoencoder's decoder alone; stored latents stay valid."),
    ] = None,
    decoder_widths: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            help="With --decoder-of: a new decoder of these widths, from the coarsest grid to the finest.",
            min=1,
        ),
    ] = None,
) -> None:
    """Train the tiny autoencoder.

    \b
    Examples:
      cyberhost train vae work/clips work/vae.safetensors
      cyberhost train vae work/clips work/vae-2.safetensors --decoder-of work/vae.safetensors --steps 1500
      cyberhost train vae work/clips work/vae-3.safetensors --decoder-of work/vae.safetensors \\
          --decoder-widths 160 128 96
    """
    import torch

    from ..backbone.vae import TinyVAE, TinyVAEConfig
    from ..checkpoints.parts import load_vae
    from ..puppets.clips import WeightedPictures, clip_files
    from ..training.part_runs import files_fingerprint
    from ..training.vae import DECODER_LOOP, VAE_LOOP, VAELesson, train_vae

    if decoder_widths and not decoder_of:
        raise ConfigError(
            "--decoder-widths was given without --decoder-of, whose encoder a new decoder belongs to; name "
            "that autoencoder."
        )
    torch.manual_seed(seed)
    tuned = decoder_of is not None and decoder_widths is None
    loop = _loop(DECODER_LOOP if tuned else VAE_LOOP, steps)
    first = load_vae(decoder_of) if decoder_of else TinyVAE(TinyVAEConfig())
    written = train_vae(
        first.with_new_decoder(decoder_widths) if decoder_widths else first,
        WeightedPictures(clips, seed=seed),
        out,
        data=files_fingerprint(clip_files(clips)),
        loop=loop,
        lesson=VAELesson(encoder_frozen=decoder_of is not None),
        seed=seed,
        until=until,
        show=shown_losses(loop),
    )
    _tell(written)


@train.command()
def image(
    store: Annotated[Path, typer.Argument(help="Folder made by 'prepare store'.")],
    out: Annotated[Path, typer.Argument(help="Folder of the run; a run that is there is resumed.")],
    start: Start = None,
    recipe: RecipeSource = "tiny",
    changes: Changes = None,
    held_out: HeldOut = None,
    vae_file: VaeFile = None,
    steps: Steps = None,
    until: Until = None,
    seed: Seed = 0,
) -> None:
    """Stage 1: learn to draw a person from a reference picture (pairs of frames).

    \b
    Example, from Stable Diffusion (made by 'convert assemble'):
      cyberhost train image work/store work/image --recipe cyberhost --from start.safetensors
    """
    files = _files(store, out, start=start, held_out=held_out, vae=vae_file)
    _stage("image", files, recipe=recipe, changes=changes, steps=steps, until=until, seed=seed)


@train.command()
def video(
    store: Annotated[Path, typer.Argument(help="Folder made by 'prepare store'.")],
    out: Annotated[Path, typer.Argument(help="Folder of the run; a run that is there is resumed.")],
    start: Start = None,
    discriminator: Annotated[
        Path | None,
        typer.Option(help="Made by 'train pose-discriminator', where the recipe asks for one."),
    ] = None,
    recipe: RecipeSource = "tiny",
    changes: Changes = None,
    held_out: HeldOut = None,
    vae_file: VaeFile = None,
    steps: Steps = None,
    until: Until = None,
    seed: Seed = 0,
) -> None:
    """Stage 2: learn to move with the sound (clips of 12 frames, 4 motion frames).

    \b
    Examples: stage 1 and, for the motion modules, AnimateDiff; on two cores; from a related system:
      cyberhost train video work/store work/video --recipe cyberhost --from work/image/model.safetensors \\
          --from start.safetensors
      torchrun --nproc_per_node 2 -m cyberhost_core.cli train video work/store work/video
      cyberhost train video work/store work/emo2 --recipe emo2-tiny --from work/tiny.safetensors \\
          --discriminator work/pose-discriminator.safetensors
    """
    files = replace(
        _files(store, out, start=start, held_out=held_out, vae=vae_file), discriminator=discriminator
    )
    _stage("video", files, recipe=recipe, changes=changes, steps=steps, until=until, seed=seed)


@train.command()
def pack(
    weights: Annotated[Path, typer.Argument(help="model.safetensors of stage 2.")],
    out: Path,
    vae_file: Annotated[
        Path,
        typer.Option(
            "--vae",
            help="Autoencoder: made by 'train vae', in a checkpoint, or sd-vae-ft-mse.",
        ),
    ],
    speech_file: Annotated[
        Path | None,
        typer.Option(
            "--speech",
            help="Speech encoder: a wav2vec2 folder, or a checkpoint; for a system that hears.",
        ),
    ] = None,
    precision: Annotated[
        StoredPrecision,
        typer.Option(
            help="How weights are stored; 8bit, with a scale per output channel, is for small files."
        ),
    ] = StoredPrecision.FP16,
    licence: Annotated[
        str | None,
        typer.Option(
            help="Terms that you give the weights under. [default: what was said of data and first weights]"
        ),
    ] = None,
    picture_floor_db: Annotated[
        float | None,
        typer.Option(
            help="Refuse pictures that the autoencoder gives back with less than this many dB; 0: none. "
            "[default: calibrated on the training data]"
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="Recipe, or its file, of weights that earlier versions trained; later ones say theirs."
        ),
    ] = "tiny",
    beside: Annotated[
        Path | None,
        typer.Option(help="A checkpoint in the same folder: parts that it has as well are left to it."),
    ] = None,
) -> None:
    """Join the parts into one checkpoint, which says what was said of data and licences.

    \b
    Examples:
      cyberhost train pack work/video/model.safetensors mine.safetensors \\
          --vae start.safetensors --speech start.safetensors
      cyberhost train pack work/video/model.safetensors tiny.safetensors --precision 8bit \\
          --vae work/vae.safetensors --speech work/speech --licence Apache-2.0
    """
    from ..checkpoints.parts import pack_checkpoint
    from ..checkpoints.provenance import NOT_STATED, of_weights
    from ..checkpoints.trained import how_calibrated

    for sentence in how_calibrated(weights):
        typer.echo(f"cyberhost: {sentence}", err=True)
    floor = {} if picture_floor_db is None else {"picture_floor_db": picture_floor_db}
    said = of_weights(weights)
    pack_checkpoint(
        out,
        spec=read_recipe(recipe).system,
        weights=weights,
        vae=vae_file,
        speech=speech_file,
        precision=precision.value,
        licence=licence or "; ".join(said.licences),
        training={**floor, "data": "; ".join(said.data) or NOT_STATED, "licences": said.licences},
        beside=beside,
    )
    typer.echo(str(out))


def _files(
    store: Path, out: Path, *, start: list[Path] | None, held_out: Path | None, vae: Path | None
) -> "RunFiles":
    from ..training.runs import RunFiles

    return RunFiles(store=store, out=out, start=tuple(start or ()), held_out=held_out, vae=vae)


def _stage(
    name: str,
    files: "RunFiles",
    *,
    recipe: str,
    changes: list[str] | None,
    steps: int | None,
    until: int | None,
    seed: int,
) -> None:
    from ..training.runs import train_stage

    start = next(iter(files.start), None)
    # whether there is such a stage, before its steps are changed
    read_recipe(recipe, changes, start=start).stage(name)
    if steps:
        changes = [*(changes or ()), f"{name}.steps={steps}"]
    plan = read_recipe(recipe, changes, start=start)
    _, stage = plan.stage(name)
    weights = train_stage(
        plan,
        stage,
        files,
        seed=seed,
        until=until,
        show=shown_losses(stage),
        tell=lambda report: typer.echo(report.as_text(), err=True),
    )
    typer.echo(json.dumps({"weights": str(weights)}))


def _stills(cache: Path):
    from ..puppets.speech import bundled_utterances
    from ..puppets.split import TRAIN_IDENTITIES
    from ..training.twins.puppet_stills import cached_stills

    return cached_stills(
        cache, identities=TRAIN_IDENTITIES[:STILL_PUPPETS], utterances=bundled_utterances("train")
    )


def _loop(loop: "LoopConfig", steps: int | None) -> "LoopConfig":
    return loop.derive(steps=steps) if steps else loop


def _tell(out: Path | None) -> None:
    """Print where a part is, or say that it is not there yet."""
    if out:
        typer.echo(str(out))
    else:
        typer.echo("stopped before the last step; give the command again to go on.", err=True)
