"""`cyberhost train pose-discriminator`: the network behind the pose loss of video training."""

import json
from pathlib import Path
from typing import Annotated

import typer

from .running import shown_losses


def pose_discriminator(
    store: Annotated[Path, typer.Argument(help="Folder made by 'prepare store' or 'prepare footage'.")],
    out: Annotated[Path, typer.Argument(help="Folder of the run; a run that is there is resumed.")],
    held_out: Annotated[Path | None, typer.Option(help="Store of held-out videos, for validation.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="How many steps. [default: the recipe's]")] = None,
    until: Annotated[
        int | None,
        typer.Option(min=1, help="Stop after this step of the schedule; give the command again to go on."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same run.")] = 0,
) -> None:
    """Train the network that finds body and hands in latents.

    OUT/pose_discriminator.safetensors is what video training takes as its pose loss.

    \b
    Example:
      cyberhost train pose-discriminator work/store work/discriminator --held-out work/store-held-out
    """
    from ..training.discriminator_run import DISCRIMINATOR_LOOP, train_pose_discriminator

    loop = DISCRIMINATOR_LOOP.derive(steps=steps) if steps else DISCRIMINATOR_LOOP
    path = train_pose_discriminator(
        store,
        out,
        loop=loop,
        held_out=held_out,
        seed=seed,
        until=until,
        show=shown_losses(loop),
    )
    typer.echo(json.dumps({"weights": str(path)}))
