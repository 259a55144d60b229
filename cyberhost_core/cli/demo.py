"""`cyberhost demo`: one command that shows the whole path on any machine."""

from pathlib import Path
from typing import Annotated

import typer

from .. import bundled
from ..media.contact_sheet import contact_sheet, evenly_spaced
from ..media.images import save_png
from ..media.video import read_frames
from .running import animate, read_inputs, summary

SCALE = 4  # puppets are 128 x 96 pixels; nobody wants to watch that
SHEET_FRAMES, SHEET_COLUMNS = 12, 6


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write to; made if it is not there.")
    ] = Path("out"),
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same video.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Make a bundled portrait speak a bundled sentence.

    The person is a drawn puppet and the voice is synthetic: the bundled weights are small enough to run
    anywhere, and know puppets only. Writes demo.mp4, and demo.png with frames of it on one page.

    \b
    Examples:
      cyberhost demo
      cyberhost demo --out /tmp/demo --seed 3
    """
    portrait, voice = bundled.portraits()[0], bundled.speech()[0]
    inputs = read_inputs(portrait, voice, out=out / "demo.mp4")
    assert inputs.sound is not None, "a voice was named"
    typer.echo(f"portrait  {portrait.name} (a drawn puppet: the bundled weights know puppets only)")
    typer.echo(f"voice     {voice.name}, {inputs.sound.seconds:.1f} s")
    from ..pipeline.options import GenerateOptions  # here and not above: torch takes seconds

    report = animate(inputs, options=GenerateOptions(seed=seed, scale=SCALE), quiet=quiet)
    sheet_path = _write_sheet(report.path)
    typer.echo(f"sheet     {sheet_path}")
    typer.echo(f"video     {summary(report)}")
    typer.echo(str(report.path))


def _write_sheet(video: Path) -> Path:
    frames_FYXC = read_frames(video)[:, ::2, ::2]
    chosen_FYXC = frames_FYXC[evenly_spaced(SHEET_FRAMES, frames=len(frames_FYXC))]
    sheet_path = video.with_suffix(".png")
    save_png(sheet_path, contact_sheet(chosen_FYXC, columns=SHEET_COLUMNS))
    return sheet_path
