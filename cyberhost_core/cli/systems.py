"""What a command measures: a system by its name, or the one in a weights file."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..checkpoints.autoencoders import Autoencoder
    from ..systems.spec import SystemSpec

SYSTEM_HELP = (
    "cyberhost, cyberhost-head, cyberhost-tiny, emo2, emo2-tiny, echomimic-v2, hallo or animate-anyone."
)

CheckpointInstead = Annotated[
    Path | None, typer.Option("--checkpoint", "-c", help="Take the system in this weights file instead.")
]
HeightOption = Annotated[int | None, typer.Option(min=8, help="Pixels. [default: the system's own]")]
WidthOption = Annotated[int | None, typer.Option(min=8, help="Pixels. [default: the system's own]")]
FramesOption = Annotated[
    int | None, typer.Option(min=1, help="Frames of a segment. [default: the system's own]")
]
DecodedOption = Annotated[int, typer.Option(min=1, help="Frames that the autoencoder decodes at once.")]


class Precision(StrEnum):
    """What a system can be computed in."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"


@dataclass(frozen=True)
class Chosen:
    """Hold a system and its autoencoder; speech_parameters: of the speech encoder in its file, else 0."""

    spec: "SystemSpec"
    autoencoder: "Autoencoder"
    speech_parameters: int = 0


def chosen_system(name: str, checkpoint: Path | None) -> Chosen:
    """Take the system in a file if there is one, else the one of that name.

    Raises:   ConfigError: no such system; CheckpointError: the file cannot be used
    """
    from ..checkpoints.autoencoders import stored_autoencoder, usual_autoencoder
    from ..checkpoints.file import open_checkpoint

    if checkpoint is None:
        spec = named(name)
        return Chosen(spec, usual_autoencoder(spec))
    stored = open_checkpoint(checkpoint)
    speech, _ = stored.audio_encoder or ({}, {})
    count = sum(value.numel() for value in speech.values())
    return Chosen(stored.spec, stored_autoencoder(stored), count)


def named(name: str) -> "SystemSpec":
    """Take the system of a name, as its paper or its project publishes it.

    Raises:   ConfigError: no such system
    """
    from ..errors import ConfigError
    from ..systems.named import SYSTEMS
    from ..systems.public import PEERS
    from ..systems.published import published

    if name not in SYSTEMS | PEERS:
        raise ConfigError(f"There is no system '{name}'; choose one of: {', '.join((*SYSTEMS, *PEERS))}.")
    return SYSTEMS[name]() if name in SYSTEMS else published(name)
