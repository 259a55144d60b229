"""One safetensors file with all networks of the people detector: plans as metadata, weights as tensors.

Tensors "<network>/<step>.<name>" in the precision they came in. Metadata (strings): format, plan.<network>,
licence, notice, licence_text, sources (JSON: where each network came from, with its hash).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..errors import CheckpointError
from ..media.output import writing, written_whole
from .graph_network import GraphNetwork, Plan

FORMAT = "cyberhost-people-detector-1"
_PLAN = "plan."


def save_people_file(
    out: str | Path, networks: Mapping[str, tuple[Plan, dict[str, np.ndarray]]], *, facts: Mapping[str, str]
) -> None:
    """Write networks into one file, whole or not at all; the same networks give the same bytes.

    facts: further metadata, such as licence and notice

    Raises:   MediaError: the place takes no file
    """
    tensors = {
        f"{name}/{key}": np.ascontiguousarray(value).astype(value.dtype.newbyteorder("="))
        for name, (_, weights) in networks.items()
        for key, value in weights.items()
    }
    plans = {_PLAN + name: plan.to_json() for name, (plan, _) in networks.items()}
    with written_whole(out) as part, writing(out):
        part.write_bytes(_in_order(save(tensors, {"format": FORMAT, **facts, **plans})))


def holds_people_networks(path: str | Path) -> bool:
    """Whether a file is one of these, by its metadata; a file that cannot be read is not."""
    path = Path(path)
    if path.suffix.lower() != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(path, framework="np") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (SafetensorError, OSError):
        return False  # whoever opens it next says what is wrong with it


def load_people_networks(path: str | Path, wanted: Mapping[str, Sequence[int]]) -> dict[str, GraphNetwork]:
    """Open networks by name, each with the places of the results that are wanted.

    Raises:   CheckpointError: no file, another kind of file, a damaged one, or a network that it lacks
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}; put the people detector there, or give its path.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names if name.split("/")[0] in wanted}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({error}); it is truncated or of another kind: convert or "
            "copy it again."
        ) from error
    missing = [name for name in wanted if _PLAN + name not in metadata]
    if metadata.get("format") != FORMAT or missing:
        raise CheckpointError(
            f"{path} is no people detector (its format is '{metadata.get('format', 'none')}', '{FORMAT}' "
            f"with {', '.join(wanted)} was expected); make one with: cyberhost convert people-detector."
        )
    return {
        name: GraphNetwork(
            Plan.parse(metadata[_PLAN + name]),
            {key.partition("/")[2]: value for key, value in tensors.items() if key.startswith(f"{name}/")},
            outputs=outputs,
            name=name,
        )
        for name, outputs in wanted.items()
    }


def _in_order(data: bytes) -> bytes:
    """Sort the metadata of a safetensors file, which the library writes in an order of chance."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the numbers behind it stay aligned
    return len(text).to_bytes(8, "little") + text + data[end:]
