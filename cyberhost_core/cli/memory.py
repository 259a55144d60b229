"""`cyberhost memory`: what a system takes, or a training step of it, counted without allocating it."""

from enum import StrEnum
from typing import Annotated

import typer

from ..errors import ConfigError
from .systems import (
    SYSTEM_HELP,
    CheckpointInstead,
    DecodedOption,
    FramesOption,
    HeightOption,
    WidthOption,
    chosen_system,
)
from .train_recipe import Changes, read_recipe


class Stage(StrEnum):
    """A stage of a recipe."""

    IMAGE = "image"
    VIDEO = "video"


Trained = Annotated[
    str | None, typer.Option("--train", help="Count a training step of this recipe, or its file, instead.")
]
Devices = Annotated[int, typer.Option(min=1, help="How many devices train together.")]


def memory(
    system: Annotated[str | None, typer.Argument(help=f"{SYSTEM_HELP} [default: cyberhost]")] = None,
    checkpoint: CheckpointInstead = None,
    height: HeightOption = None,
    width: WidthOption = None,
    frames: FramesOption = None,
    decoded: DecodedOption = 1,
    train: Trained = None,
    stage: Annotated[Stage, typer.Option(help="The stage of the recipe.")] = Stage.VIDEO,
    changes: Changes = None,
    devices: Devices = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print bytes as JSON.")] = False,
) -> None:
    """Print the weights of a system part by part, and what one segment takes besides, in fp16 and bf16.

    It is computed from the sizes of all tensors, operation by operation, on any machine. With --train: what a
    training step takes on each device; the system and its size are then the recipe's.

    \b
    Examples:
      cyberhost memory
      cyberhost memory hallo --height 512 --width 512
      cyberhost memory --checkpoint my.safetensors --json
      cyberhost memory --train cyberhost --set video.activation_checkpointing=false
    """
    if train:
        if system or checkpoint or height or width or frames:
            raise ConfigError(
                "With --train the recipe says which system is trained, and on what size; leave out SYSTEM, "
                "--checkpoint, --height, --width and --frames."
            )
        _training(train, stage, changes, devices=devices, as_json=as_json)
        return
    from ..profiling.memory_plan import plan_memory  # here and not above: torch takes seconds
    from ..profiling.random_inputs import Size

    chosen = chosen_system(system or "cyberhost", checkpoint)
    plan = plan_memory(
        chosen.spec,
        Size.of(chosen.spec, height=height, width=width, frames=frames),
        chosen.autoencoder,
        decoded_frames=decoded,
        speech_parameters=chosen.speech_parameters,
    )
    typer.echo(plan.to_json() if as_json else plan.to_text())


def _training(recipe: str, stage: Stage, changes: list[str] | None, *, devices: int, as_json: bool) -> None:
    from ..profiling.training_plan import plan_training

    plan = plan_training(*read_recipe(recipe, changes).stage(stage.value), devices=devices)
    typer.echo(plan.to_json() if as_json else plan.to_text())
