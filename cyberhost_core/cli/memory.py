"""`cyberhost memory`: what a system takes, counted without allocating it."""

from typing import Annotated

import typer

from .systems import (
    SYSTEM_HELP,
    CheckpointInstead,
    DecodedOption,
    FramesOption,
    HeightOption,
    WidthOption,
    chosen_system,
)


def memory(
    system: Annotated[str, typer.Argument(help=SYSTEM_HELP)] = "cyberhost",
    checkpoint: CheckpointInstead = None,
    height: HeightOption = None,
    width: WidthOption = None,
    frames: FramesOption = None,
    decoded: DecodedOption = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print bytes as JSON.")] = False,
) -> None:
    """Print the weights of a system part by part, and what one segment takes besides, in fp16 and bf16.

    It is computed from the sizes of all tensors, operation by operation, on any machine.

    \b
    Examples:
      cyberhost memory
      cyberhost memory hallo --height 512 --width 512
      cyberhost memory --checkpoint my.safetensors --json
    """
    from ..profiling.memory_plan import plan_memory  # here and not above: torch takes seconds
    from ..profiling.random_inputs import Size

    chosen = chosen_system(system, checkpoint)
    plan = plan_memory(
        chosen.spec,
        Size.of(chosen.spec, height=height, width=width, frames=frames),
        chosen.autoencoder,
        decoded_frames=decoded,
        speech_parameters=chosen.speech_parameters,
    )
    typer.echo(plan.to_json() if as_json else plan.to_text())
