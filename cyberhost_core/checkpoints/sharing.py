"""Parts that two checkpoints have in common lie in one of them; the other names its neighbour.

{"vae": "tiny.safetensors", "reference_net": "tiny.safetensors"}    metadata "shared" of the second file
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError

SHARED = "shared"  # the key of the metadata
_OWN_SETTINGS = ("vae", "audio_encoder")  # parts whose configuration is metadata under their name

Contents = tuple[dict[str, str], dict[str, Tensor]]  # metadata, tensors


def without_shared(contents: Contents, neighbour: Contents, *, name: str) -> Contents:
    """Leave out the parts that the neighbour stores in the same bits, and name it.

    name: the neighbour's file name; both files must then stay in one folder
    """
    (metadata, tensors), (_, others) = contents, neighbour
    parts = {key.split(".", 1)[0] for key in tensors}
    shared = {part for part in parts if _same(_of(part, tensors), _of(part, others))}
    kept = {key: value for key, value in tensors.items() if key.split(".", 1)[0] not in shared}
    told = {key: value for key, value in metadata.items() if key not in shared}
    return {**told, SHARED: json.dumps(dict.fromkeys(sorted(shared), name))}, kept


def with_shared(path: Path, contents: Contents, *, read: Callable[[Path], Contents]) -> Contents:
    """Fetch the parts that a checkpoint has in common with its neighbours.

    Raises:   CheckpointError: a neighbour is missing, lacks the part, or is named by more than a file name
    """
    metadata, tensors = contents
    for part, name in json.loads(metadata.get(SHARED, "{}")).items():
        neighbour = path.parent / name
        if Path(name).name != name or not neighbour.is_file():
            raise CheckpointError(
                f"{path.name} shares its '{part}' with {name}, which is not beside it; "
                "keep both files in one folder."
            )
        others_metadata, others = read(neighbour)
        found = _of(part, others)
        if not found:
            raise CheckpointError(
                f"{path.name} shares its '{part}' with {name}, but that file holds none; "
                "take both files from the same version."
            )
        tensors = {**tensors, **found}
        if part in _OWN_SETTINGS:
            metadata = {**metadata, part: others_metadata[part]}
    return metadata, tensors


def _of(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in tensors.items() if key.startswith(f"{part}.")}


def _same(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
