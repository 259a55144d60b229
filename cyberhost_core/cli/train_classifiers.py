"""`cyberhost train classifiers`: what guidance by parts asks."""

import json
from pathlib import Path
from typing import Annotated

import typer

from .. import bundled
from .running import shown_losses
from .train_recipe import Changes


def classifiers(
    store: Annotated[Path, typer.Argument(help="Folder made by 'prepare store' or 'prepare footage'.")],
    out: Annotated[Path, typer.Argument(help="Folder of the run; a run that is there is resumed.")],
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", "-c", help="Weights file whose clips they judge.")
    ],
    generated: Annotated[
        Path, typer.Option(help="Made by 'prepare generated' of the same store and weights.")
    ],
    recipe: Annotated[
        str,
        typer.Option(
            help="One that 'cyberhost train recipe --classifiers' lists, or a YAML file of your own."
        ),
    ] = "tiny",
    changes: Changes = None,
    held_out: Annotated[Path | None, typer.Option(help="Store of held-out videos, for validation.")] = None,
    held_out_generated: Annotated[
        Path | None, typer.Option(help="With --held-out: made by 'prepare generated' of that store.")
    ] = None,
    pack_to: Annotated[
        Path | None, typer.Option("--pack", help="Also write them there, with weights in eight bits.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="How many steps. [default: the recipe's]")] = None,
    until: Annotated[
        int | None,
        typer.Option(min=1, help="Stop after this step of the schedule; give the command again to go on."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same run.")] = 0,
) -> None:
    """Train the classifiers of face and of the rest, which tell whether picture and sound belong together.

    OUT/classifiers.safetensors is what 'generate --guidance' asks; named as the checkpoint with -classifiers
    behind, and beside it, it is found without --classifiers.

    \b
    Example:
      cyberhost train classifiers work/store work/judges -c mine.safetensors --generated work/generated
    """
    from ..checkpoints.classifiers import pack_classifiers
    from ..training.classifiers.recipes import read_classifier_recipe
    from ..training.classifiers.run import ClassifierFiles, train_classifiers

    plan = read_classifier_recipe(recipe, changes or ())
    if steps:
        plan = plan.derive(loop=plan.loop.derive(steps=steps))
    files = ClassifierFiles(
        checkpoint=bundled.checkpoint(checkpoint),
        store=store,
        generated=generated,
        out=out,
        held_out=held_out,
        held_out_generated=held_out_generated,
    )
    weights = train_classifiers(plan, files, seed=seed, until=until, show=shown_losses(plan.loop))
    if pack_to:
        pack_classifiers(weights, pack_to)
    typer.echo(json.dumps({"weights": str(weights)}))
