"""`cyberhost parameters`: what a system is made of, counted without allocating it."""

import json
from typing import Annotated

import typer

from .systems import SYSTEM_HELP, named


def parameters(
    system: Annotated[str, typer.Argument(help=SYSTEM_HELP)] = "cyberhost",
    ablation: Annotated[
        str | None, typer.Option(help="Leave a part out, as the tables of CyberHost and EMO2 do.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Print the parameters of a system, part by part.

    \b
    Examples:
      cyberhost parameters
      cyberhost parameters cyberhost --ablation no-hand-ram
      cyberhost parameters hallo
    """
    from ..errors import ConfigError
    from ..systems.model import on_meta, parameter_table
    from ..systems.named import ABLATIONS

    if ablation is not None and ablation not in ABLATIONS:
        raise ConfigError(f"There is no ablation '{ablation}'; choose one of: {', '.join(ABLATIONS)}.")
    spec = named(system)
    table = parameter_table(on_meta(ABLATIONS[ablation](spec) if ablation else spec))
    if as_json:
        typer.echo(json.dumps(table))
        return
    width = max(map(len, table))
    for name, count in (*table.items(), ("total", sum(table.values()))):
        typer.echo(f"{name:<{width}}  {count:>15,}")
