"""`cyberhost convert mano`: a user's own MANO hand, once, into a file that is safe to load."""

from pathlib import Path
from typing import Annotated

import typer


def mano(
    pickle_path: Annotated[
        Path, typer.Argument(metavar="FILE.pkl", help="MANO_LEFT.pkl or MANO_RIGHT.pkl, as downloaded.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write; replaced if it is there.")],
) -> None:
    """Convert a MANO hand, to be drawn in the place of our own.

    Nothing that the pickle holds is run. MANO's licence goes with the file: research only, not to be passed
    on.

    \b
    Examples:
      cyberhost convert mano MANO_RIGHT.pkl --out mano-right.safetensors
      cyberhost convert mano MANO_LEFT.pkl  --out mano-left.safetensors
    """
    from ..hands.drawing.mano_file import convert_mano
    from ..media.output import ensure_writable

    ensure_writable(out, suffixes=(".safetensors",))
    side = convert_mano(pickle_path, out)
    typer.echo(f"{out}: a {side} hand, {out.stat().st_size / 1e6:.1f} MB")
