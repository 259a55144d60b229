"""`cyberhost doctor`: what is installed, what is missing, and what that means for the demo."""

import dataclasses
import json
from typing import Annotated

import typer

from .examination import CODECS, Examination, examine

_SHA_SHOWN = 12  # characters; --json has all of them


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Report what is installed; exit with 1 if the demo cannot run.

    \b
    Examples:
      cyberhost doctor
      cyberhost doctor --json > doctor.json     to attach to a bug report
    """
    found = examine()
    typer.echo(json.dumps(dataclasses.asdict(found), indent=2) if as_json else _as_text(found))
    raise typer.Exit(code=1 if found.problems else 0)


def _as_text(found: Examination) -> str:
    lines = [
        f"python     {found.python}",
        f"torch      {found.torch or 'missing'}",
        f"devices    {', '.join(found.devices) or 'none'}",
        f"onnx       {found.onnx}",
        f"espeak-ng  {found.espeak_ng or 'missing (only needed to make new voices)'}",
        f"disk free  {found.disk_free_mb} MB",
        *(f"{'codec':10} {CODECS[name]}: {'yes' if can else 'no'}" for name, can in found.codecs.items()),
        "extras",
        *(f"  {extra:13} {_packages(packages)}" for extra, packages in found.extras.items()),
        "bundled files",
        *(f"  {name:28} {_file(held)}" for name, held in found.bundled.items()),
        "",
        *(found.problems or ["Everything that the demo needs is here."]),
    ]
    return "\n".join(lines)


def _packages(packages: dict[str, str | None]) -> str:
    return ", ".join(f"{package} {version or 'missing'}" for package, version in packages.items())


def _file(held: dict[str, int | str] | None) -> str:
    return f"{held['bytes']:>10} bytes  sha256 {str(held['sha256'])[:_SHA_SHOWN]}" if held else "missing"
