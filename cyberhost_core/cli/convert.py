"""`cyberhost convert`: other people's weights into one checkpoint of ours.

echomimic-v2, hallo, animate-anyone    the files of a public model
assemble                               a full-size system, from Stable Diffusion 1.5 and AnimateDiff
check                                  recorded cases of the public models (convert_check.py)
mano                                   a user's own MANO hand (convert_mano.py)
people-detector                        MediaPipe's networks for body, hands and face (convert_people.py)
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Cancelled
from .convert_check import check
from .convert_mano import mano
from .convert_people import people_detector
from .running import progress_bars, stop_on_signal
from .systems import Precision

if TYPE_CHECKING:
    from ..checkpoints.accounting import Report

convert = typer.Typer(
    name="convert", help="Convert other people's weights.", no_args_is_help=True, rich_markup_mode=None
)

convert.command()(check)
convert.command()(mano)
convert.command("people-detector")(people_detector)

_MEGABYTE = 1_000_000
OnBytes = Callable[[int, int], None]
Run = Callable[[OnBytes], "Report"]

Sources = Annotated[
    list[Path], typer.Argument(metavar="DIR_OR_FILES...", help="The downloaded files, or their folder.")
]
Out = Annotated[
    Path, typer.Argument(metavar="OUT.safetensors", help="File to write; replaced if it is there.")
]
DType = Annotated[Precision, typer.Option("--dtype", help="How numbers are stored.")]
Vae = Annotated[
    Path | None,
    typer.Option(help="Autoencoder to put in: sd-vae-ft-mse, as folder or file, or a Stable Diffusion file."),
]
AudioEncoder = Annotated[
    Path | None,
    typer.Option(help="Audio encoder to include: wav2vec2-base-960h or whisper-tiny, as folder or file."),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(metavar="PREFIX", help="Leave out weights whose names begin so; may be given again."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the account as JSON, name by name.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


@convert.command("echomimic-v2")
def echomimic_v2(
    sources: Sources,
    out: Out,
    accelerated: Annotated[
        bool, typer.Option("--accelerated", help="Take the *_acc.pth files: 6 steps, no guidance.")
    ] = False,
    dtype: DType = Precision.FP16,
    vae: Vae = None,
    audio_encoder: AudioEncoder = None,
    drop: Drop = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Convert EchoMimicV2: half bodies that speak, hands driven.

    DIR_OR_FILES: denoising_unet.pth, motion_module.pth, reference_unet.pth, pose_encoder.pth.

    \b
    Examples:
      cyberhost convert echomimic-v2 EchoMimicV2 echomimic-v2.safetensors
      cyberhost convert echomimic-v2 EchoMimicV2 fast.safetensors --accelerated \\
          --vae EchoMimicV2/sd-vae-ft-mse --audio-encoder EchoMimicV2/audio_processor/tiny.pt
    """
    run = _peer("echomimic-v2", sources, out, dtype, drop, accelerated, vae=vae, audio_encoder=audio_encoder)
    _show(run, as_json=as_json, quiet=quiet)


@convert.command()
def hallo(
    sources: Sources,
    out: Out,
    dtype: DType = Precision.FP16,
    vae: Vae = None,
    audio_encoder: AudioEncoder = None,
    drop: Drop = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Convert Hallo: talking heads.

    DIR_OR_FILES: net.pth, or the folder that holds it.

    \b
    Example:
      cyberhost convert hallo net.pth hallo.safetensors --vae sd-vae-ft-mse \\
          --audio-encoder wav2vec2-base-960h
    """
    run = _peer("hallo", sources, out, dtype, drop, vae=vae, audio_encoder=audio_encoder)
    _show(run, as_json=as_json, quiet=quiet)


@convert.command("animate-anyone")
def animate_anyone(
    sources: Sources,
    out: Out,
    dtype: DType = Precision.FP16,
    vae: Vae = None,
    drop: Drop = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Convert Moore-AnimateAnyone: whole bodies that follow a pose video.

    DIR_OR_FILES: denoising_unet.pth, motion_module.pth, reference_unet.pth, pose_guider.pth.

    \b
    Example:
      cyberhost convert animate-anyone AnimateAnyone animate-anyone.safetensors --dtype bf16
    """
    _show(_peer("animate-anyone", sources, out, dtype, drop, vae=vae), as_json=as_json, quiet=quiet)


@convert.command()
def assemble(
    unet: Annotated[
        Path,
        typer.Option(help="U-Net of Stable Diffusion 1.5: diffusers folder or file, or an original file."),
    ],
    motion: Annotated[
        Path, typer.Option(help="AnimateDiff v2 or v3: an original .ckpt, or a diffusers MotionAdapter.")
    ],
    out: Out,
    system: Annotated[
        str, typer.Option(help="What to assemble: cyberhost, cyberhost-head or emo2.")
    ] = "cyberhost",
    seed: Annotated[int, typer.Option(min=0, help="Of the parts that start at random.")] = 0,
    dtype: DType = Precision.FP16,
    vae: Vae = None,
    audio_encoder: AudioEncoder = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Assemble a full-size system, to be trained: it starts out as its parents are.

    \b
    Examples:
      cyberhost convert assemble --unet v1-5-pruned-emaonly.safetensors --motion mm_sd_v15_v2.ckpt \\
          start.safetensors
      cyberhost convert assemble --system emo2 --unet v1-5-pruned-emaonly.safetensors \\
          --motion mm_sd_v15_v2.ckpt emo2-start.safetensors
    """

    def run(on_bytes: OnBytes) -> "Report":
        from ..checkpoints import assemble as assembling
        from ..checkpoints.file import DTYPES

        return assembling.assemble(
            unet,
            motion,
            out,
            spec=assembling.assembled_system(system),
            dtype=DTYPES[dtype.value],
            seed=seed,
            vae=vae,
            audio_encoder=audio_encoder,
            on_bytes=on_bytes,
        )

    _show(run, as_json=as_json, quiet=quiet)


def _peer(
    kind: str,
    sources: list[Path],
    out: Path,
    dtype: Precision,
    drop: list[str] | None,
    accelerated: bool = False,
    **companions: Path | None,
) -> Run:
    def run(on_bytes: OnBytes) -> "Report":
        from ..checkpoints.file import DTYPES
        from ..checkpoints.peers import PUBLISHED, convert_peer

        return convert_peer(
            kind,
            sources,
            out,
            config=PUBLISHED.derive(accelerated=accelerated),
            dtype=DTYPES[dtype.value],
            drop=drop or (),
            on_bytes=on_bytes,
            **companions,
        )

    return run


def _show(run: Run, *, as_json: bool, quiet: bool) -> None:
    """Run a conversion with a bar and a clean Ctrl-C; its account is printed even when it fails."""
    from ..checkpoints.accounting import UnaccountedWeightsError  # here and not above: torch takes seconds
    from ..pipeline.generate import Progress

    with stop_on_signal() as is_cancelled, progress_bars(quiet=quiet) as show:

        def on_bytes(done: int, total: int) -> None:
            if is_cancelled():
                raise Cancelled("The conversion was stopped.")
            show(Progress("megabytes", done // _MEGABYTE, total // _MEGABYTE))

        try:
            report = run(on_bytes)
        except UnaccountedWeightsError as error:
            typer.echo(_printed(error.report, as_json=as_json))
            raise
    typer.echo(_printed(report, as_json=as_json))
    if not as_json:
        typer.echo(f"{report.out}: {report.bytes / _MEGABYTE:,.0f} MB")


def _printed(report: "Report", *, as_json: bool) -> str:
    return json.dumps(report.as_json()) if as_json else report.as_text()
