"""Options of every command that samples: how strongly it is guided, by what, and where it computes."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .systems import Precision

if TYPE_CHECKING:
    import torch


class PartsMethod(StrEnum):
    """How classifiers of parts guide."""

    SEQUENTIAL = "sequential"
    DIFFERENTIAL = "differential"


ReferenceScale = Annotated[
    float | None, typer.Option(min=0, help="Guidance towards the portrait. [default: the weights' own]")
]
AudioScale = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Guidance towards the voice, all but AnimateAnyone; both at 1: one pass. [default: the weights' "
        "own]",
    ),
]
ClassifiersFile = Annotated[
    Path | None,
    typer.Option(
        "--classifiers",
        help="For guidance by parts: made by 'train classifiers'. [default: beside the weights, "
        "CHECKPOINT-classifiers.safetensors]",
    ),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps. [default: the best there is]")]
DType = Annotated[
    Precision | None,
    typer.Option(help="Precision. [default: fp32 on a CPU, else bf16, or fp16 where it has none]"),
]


def chosen_place(device: str | None, dtype: Precision | None) -> tuple["torch.device", "torch.dtype"]:
    """Give the device and the precision that were asked for, or the best there is.

    Raises:   ConfigError: no such device
    """
    from ..checkpoints.file import DTYPES  # here and not above: torch takes seconds
    from ..pipeline.devices import usable_device, usual_dtype

    place = usable_device(device)
    return place, usual_dtype(place) if dtype is None else DTYPES[dtype.value]
