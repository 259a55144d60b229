"""`cyberhost train recipe`: print a recipe, to read it, to change it, to give it back with --recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..training.recipes.recipe import Recipe

RecipeSource = Annotated[
    str, typer.Option(help="A recipe that 'cyberhost train recipe' lists, or a YAML file of your own.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change an entry of the recipe; may be repeated."),
]


def recipe(
    name: Annotated[
        str | None, typer.Argument(help="One that comes with the package, or a file. [default: list them]")
    ] = None,
    changes: Changes = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print every value, also those left out.")
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="The checkpoint that training starts from, where a recipe takes its system.",
        ),
    ] = None,
) -> None:
    """Print a recipe as the YAML that --recipe takes, or list those that come with the package.

    \b
    Examples:
      cyberhost train recipe
      cyberhost train recipe cyberhost > my.yaml
      cyberhost train recipe tiny --set video.learning_rate=2e-5 --set video.sampling.clips=2
      cyberhost train recipe tiny --resolved
    """
    from ..training.recipes.entries import read_text, recipe_file
    from ..training.recipes.writing import changed_text, resolved_text

    if name is None:
        _list()
    elif resolved:
        typer.echo(resolved_text(read_recipe(name, changes, start=start)), nl=False)
    elif changes:
        read_recipe(name, changes, start=start)  # which says what cannot be used
        typer.echo(changed_text(name, changes), nl=False)
    else:
        typer.echo(read_text(recipe_file(name)), nl=False)


def read_recipe(source: str, changes: list[str] | None = None, *, start: Path | None = None) -> "Recipe":
    """Read the recipe that a command was given.

    Raises:   ConfigError: there is none, or it cannot be used
    """
    from ..training.recipes import reading

    return reading.read_recipe(source, changes or (), start=start)


def _list() -> None:
    from ..training.recipes.entries import read_text, recipe_file, shipped_names

    names = shipped_names()
    for name in names:
        title = read_text(recipe_file(name)).splitlines()[0].removeprefix("# ")
        typer.echo(f"{name:<{max(map(len, names))}}  {title}")
