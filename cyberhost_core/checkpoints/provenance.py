"""What is said of where weights come from: of the data, and of the terms that it and older weights are under.

a store's index      --+
files of --from      --+--> metadata of model.safetensors --train pack--> licence and training of a checkpoint

Nothing is claimed here: these are the words of whoever made the data and the weights, or that none were said.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from ..config import Config
from .file import READ_FORMATS
from .parts import weights_metadata

PROVENANCE = "provenance"  # the key of the metadata
NOT_STATED = "not stated"


class Provenance(Config):
    """Sentences, each said once."""

    data: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()

    def joined(self, other: Self) -> Self:
        """Both, in order."""
        return type(self)(data=_once(self.data, other.data), licences=_once(self.licences, other.licences))


def of_data(name: str, *, data: str, licence: str) -> Provenance:
    """Say what a store says of itself, or that it says nothing."""
    return Provenance(data=(f"{name}: {data or NOT_STATED}",), licences=(f"{name}: {licence or NOT_STATED}",))


def of_weights(path: Path) -> Provenance:
    """Read what a file of weights says: a checkpoint, or what a training run handed on.

    Raises:   CheckpointError: missing or damaged
    """
    metadata = weights_metadata(path)
    if metadata.get("format") in READ_FORMATS:
        data = json.loads(metadata.get("training", "{}")).get("data")
        return Provenance(
            data=(f"{path.name}: {data}",) if data else (),
            licences=(f"{path.name}: {metadata.get('licence') or NOT_STATED}",),
        )
    if PROVENANCE in metadata:
        return Provenance.parse(metadata[PROVENANCE])
    return Provenance(licences=(f"{path.name}: {NOT_STATED}",))


def _once(*groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(said for group in groups for said in group))
