"""`cyberhost memory`: what a system takes, or a training step of it, counted without allocating it."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from ..systems.spec import SystemSpec
    from ..training.stage import StageConfig


class Stage(StrEnum):
    """A stage of a recipe."""

    IMAGE = "image"
    VIDEO = "video"


Recipe = Annotated[str | None, typer.Option("--train", help="Count a training step of this recipe instead.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a setting of the recipe; may be repeated."),
]
Devices = Annotated[int, typer.Option(min=1, help="How many devices train together.")]


def memory(
    system: Annotated[str | None, typer.Argument(help=f"{SYSTEM_HELP} [default: cyberhost]")] = None,
    checkpoint: CheckpointInstead = None,
    height: HeightOption = None,
    width: WidthOption = None,
    frames: FramesOption = None,
    decoded: DecodedOption = 1,
    train: Recipe = None,
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
      cyberhost memory --train cyberhost --set video.activation_checkpointing=true
    """
    if train:
        if system or checkpoint or height or width or frames:
            raise ConfigError(
                "With --train the recipe says which system is trained, and on what size; leave out SYSTEM, "
                "--checkpoint, --height, --width and --frames."
            )
        _training(train, stage, changes or [], devices=devices, as_json=as_json)
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


def _training(recipe: str, stage: Stage, changes: list[str], *, devices: int, as_json: bool) -> None:
    from ..profiling.training_plan import plan_training

    plan = plan_training(*_stage(recipe, stage, changes), devices=devices)
    typer.echo(plan.to_json() if as_json else plan.to_text())


def _stage(recipe: str, stage: Stage, changes: list[str]) -> "tuple[SystemSpec, StageConfig]":
    from ..training.recipes import RECIPES

    if recipe not in RECIPES:
        raise ConfigError(f"There is no recipe '{recipe}'; choose one of: {', '.join(RECIPES)}.")
    plan = RECIPES[recipe]()
    system, config = (plan.image_system, plan.image) if stage is Stage.IMAGE else (plan.system, plan.video)
    changed = {**json.loads(config.to_json()), **dict(_change(text, stage) for text in changes)}
    return system, config.parse(json.dumps(changed))


def _change(text: str, stage: Stage) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith(f"{stage}."):
        raise ConfigError(f"--set was given '{text}', but {stage}.FIELD=VALUE was expected.")
    try:
        return name.removeprefix(f"{stage}."), json.loads(value)
    except json.JSONDecodeError:
        return name.removeprefix(f"{stage}."), value
