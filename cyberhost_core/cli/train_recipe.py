"""`cyberhost train recipe`: print a recipe, to read it, to change it, to give it back with --recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..training.recipes.recipe import Recipe

RecipeSource = Annotated[
    str, typer.Option(help="A recipe that 'cyberhost train recipe' lists, or a YAML file of your own.")
]
Family = Literal["stages", "gestures", "classifiers"]  # whose recipes
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
    gestures: Annotated[
        bool, typer.Option("--gestures", help="Those of 'cyberhost train gestures'.")
    ] = False,
    classifiers: Annotated[
        bool, typer.Option("--classifiers", help="Those of 'cyberhost train classifiers'.")
    ] = False,
) -> None:
    """Print a recipe as the YAML that --recipe takes, or list those that come with the package.

    \b
    Examples:
      cyberhost train recipe
      cyberhost train recipe cyberhost > my.yaml
      cyberhost train recipe tiny --set video.learning_rate=2e-5 --set video.sampling.clips=2
      cyberhost train recipe tiny --resolved
      cyberhost train recipe emo2 --gestures
      cyberhost train recipe paha --classifiers
    """
    from ..training.recipes.entries import read_text, recipe_file
    from ..training.recipes.writing import changed_text, resolved_text

    if gestures and classifiers:
        raise ConfigError("Recipes of gestures and of classifiers were asked for at once; choose one.")
    family: Family = "gestures" if gestures else "classifiers" if classifiers else "stages"
    shipped = _shipped(family)
    if family != "stages" and (resolved or start):
        raise ConfigError(
            f"With --{family} neither --resolved nor --from can be given: what a recipe leaves out comes "
            "from the clips; leave them out."
        )
    if name is None:
        _list(shipped)
    elif resolved:
        typer.echo(resolved_text(read_recipe(name, changes, start=start)), nl=False)
    elif changes:
        _require_usable(name, changes, start=start, family=family)
        typer.echo(changed_text(name, changes, shipped=shipped), nl=False)
    else:
        typer.echo(read_text(recipe_file(name, shipped=shipped)), nl=False)


def read_recipe(source: str, changes: list[str] | None = None, *, start: Path | None = None) -> "Recipe":
    """Read the recipe that a command was given.

    Raises:   ConfigError: there is none, or it cannot be used
    """
    from ..training.recipes import reading

    return reading.read_recipe(source, changes or (), start=start)


def _require_usable(name: str, changes: list[str], *, start: Path | None, family: Family) -> None:
    """Say what of the changes cannot be used; of gestures, whatever sound the clips may have."""
    if family == "gestures":
        from ..training.gestures.recipes import read_gesture_recipe

        read_gesture_recipe(name, changes, audio_dim=1, form="hands")
    elif family == "classifiers":
        from ..training.classifiers.recipes import read_classifier_recipe

        read_classifier_recipe(name, changes)
    else:
        read_recipe(name, changes, start=start)


def _shipped(family: Family) -> Path:
    if family == "gestures":
        from ..training.gestures.recipes import SHIPPED
    elif family == "classifiers":
        from ..training.classifiers.recipes import SHIPPED
    else:
        from ..training.recipes.entries import SHIPPED
    return SHIPPED


def _list(shipped: Path) -> None:
    from ..training.recipes.entries import read_text, recipe_file, shipped_names

    names = shipped_names(shipped)
    for name in names:
        title = read_text(recipe_file(name, shipped=shipped)).splitlines()[0].removeprefix("# ")
        typer.echo(f"{name:<{max(map(len, names))}}  {title}")
