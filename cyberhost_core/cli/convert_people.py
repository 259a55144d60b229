"""`cyberhost convert people-detector`: MediaPipe's networks, once, into a file that is safe to load."""

from pathlib import Path
from typing import Annotated

import typer


def people_detector(
    wheel: Annotated[
        Path,
        typer.Argument(
            metavar="WHEEL_OR_FOLDER",
            help="The wheel of mediapipe 0.10.21, its folder, or the folder it was unpacked into.",
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT.safetensors", help="File to write; replaced if it is there.")
    ],
) -> None:
    """Convert MediaPipe's networks for body, hands and face (Apache-2.0) into a detector of people.

    The wheel is opened as an archive and never installed; its files are compared with known hashes.

    \b
    Example:
      pip download --no-deps --only-binary=:all: --platform=manylinux_2_28_x86_64 --implementation=cp \\
          --python-version=3.11 mediapipe==0.10.21
      cyberhost convert people-detector . people-detector.safetensors
    """
    from ..media.output import ensure_writable
    from ..perception.mediapipe_files import fetch_people_detector

    ensure_writable(out, suffixes=(".safetensors",))
    fetch_people_detector(out, wheel=wheel)
    typer.echo(f"{out}: a people detector, {out.stat().st_size / 1e6:.1f} MB")
