"""`cyberhost train gestures`: stage 1 of EMO2."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .running import shown_losses
from .train_recipe import Changes


class GestureJoints(StrEnum):
    """What is generated."""

    HANDS = "hands"
    KEYPOINTS = "keypoints"
    ARMS = "arms"


class GesturePrediction(StrEnum):
    """What the network predicts."""

    SAMPLE = "sample"
    EPSILON = "epsilon"


def gestures(
    store: Annotated[Path, typer.Argument(help="Folder made by 'prepare gestures'.")],
    out: Annotated[Path, typer.Argument(help="Folder of the run; a run that is there is resumed.")],
    recipe: Annotated[
        str,
        typer.Option(help="One that 'cyberhost train recipe --gestures' lists, or a YAML file of your own."),
    ] = "tiny",
    changes: Changes = None,
    joints: Annotated[
        GestureJoints,
        typer.Option(
            help="What is generated: hands alone; hands and keypoints of arms and legs, which are then drawn "
            "as they are; or arms that hold the hands, to compare with."
        ),
    ] = GestureJoints.HANDS,
    prediction: Annotated[
        GesturePrediction,
        typer.Option(help="What is predicted: the clean motion (sample), or the noise, as in the paper."),
    ] = GesturePrediction.SAMPLE,
    pack_to: Annotated[
        Path | None, typer.Option("--pack", help="Also write the model there, with weights in eight bits.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="How many steps. [default: the recipe's]")] = None,
    until: Annotated[
        int | None,
        typer.Option(min=1, help="Stop after this step of the schedule; give the command again to go on."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same run.")] = 0,
) -> None:
    """Stage 1 of EMO2: learn to move the hands with the sound.

    \b
    Examples:
      cyberhost train gestures work/gestures work/gestures-run
      cyberhost train gestures work/gestures work/paper-run --recipe emo2 --joints keypoints \\
        --prediction epsilon
    """
    from ..checkpoints.gestures import pack_gestures
    from ..data.gesture_store import GestureClips
    from ..training.gestures.recipes import read_gesture_recipe
    from ..training.gestures.run import train_gestures, will_have_learnt

    clips = GestureClips(store)
    read = read_gesture_recipe(
        recipe,
        changes or (),
        audio_dim=clips.index.audio_dim,
        form=joints.value,
        prediction=prediction.value,
        fps=clips.index.fps,
    )
    plan = will_have_learnt(read, clips)
    if steps:
        plan = plan.derive(loop=plan.loop.derive(steps=steps))
    weights = train_gestures(plan, store, out, seed=seed, until=until, show=shown_losses(plan.loop))
    if pack_to:
        pack_gestures(weights, pack_to)
    typer.echo(json.dumps({"weights": str(weights)}))
