"""The entry `system` of a recipe: a name, a whole specification, or a base and what is changed of it.

system: cyberhost
system: {base: cyberhost, ablations: [no-hand-ram]}
system: {base: cyberhost, changing: {region_attention: {sites: [mid_block.0]}}, height: 512}
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...backbone.region_attention import RegionAttentionConfig
from ...backbone.unet import sites
from ...checkpoints.file import open_checkpoint
from ...errors import ConfigError
from ...systems.named import ABLATIONS, SYSTEMS
from ...systems.public import PEERS
from ...systems.published import published
from ...systems.spec import SystemSpec
from ..first_stages import FIRST_STAGES
from .entries import merged
from .faults import Fault, among, checked, shown

CHECKPOINT = "checkpoint"  # the system is that of the checkpoint that training starts from


def system_of(entry: Any, *, start: Path | None) -> SystemSpec:
    """Read the entry `system`.

    Raises:   Fault: it does not fit; ConfigError: it needs a checkpoint, and there is none
    """

    def base(name: str) -> SystemSpec:
        if name == CHECKPOINT:
            return _of_checkpoint(start)
        if name in PEERS:
            return published(name)
        if name not in SYSTEMS:
            raise Fault(
                ("system",),
                f"is '{name}', but should be one of {among((*SYSTEMS, *PEERS, CHECKPOINT))}, or a mapping",
            )
        return SYSTEMS[name]()

    return _read(entry, base, at="system")


def image_system_of(entry: Any, system: SystemSpec) -> SystemSpec:
    """Read the entry `image_system`, what stage 1 trains of a system.

    Raises:   Fault: it does not fit
    """

    def base(name: str) -> SystemSpec:
        if name not in FIRST_STAGES:
            raise Fault(
                ("image_system",), f"is '{name}', but should be one of {among(FIRST_STAGES)}, or a mapping"
            )
        return FIRST_STAGES[name](system)

    return _read(entry, base, at="image_system")


def _read(entry: Any, base: Callable[[str], SystemSpec], *, at: str) -> SystemSpec:
    if isinstance(entry, str):
        entry = {"base": entry}
    if not isinstance(entry, Mapping):
        raise Fault((at,), f"is {shown(entry)}, but should be a name or a mapping")
    own = {key: value for key, value in entry.items() if key not in {"base", "ablations", "changing"}}
    if "base" in entry:
        spec = base(str(entry["base"]))
    else:
        spec, own = checked(SystemSpec, own, at=(at,)), {}
    ablations = entry.get("ablations") or []
    if not isinstance(ablations, list):
        raise Fault((at, "ablations"), f"is {shown(ablations)}, but should be a list, such as [no-hand-ram]")
    for name in ablations:
        spec = _without(str(name), spec, at=at)
    changing = entry.get("changing") or {}
    if not isinstance(changing, Mapping):
        raise Fault((at, "changing"), f"is {shown(changing)}, but should be a mapping of kinds")
    for kind, changes in changing.items():
        spec = _changed(spec, kind, changes, at=(at, "changing", str(kind)))
    spec = checked(SystemSpec, merged(json.loads(spec.to_json()), own), at=(at,))
    _require_sites(spec, at=at)
    return spec


def _of_checkpoint(start: Path | None) -> SystemSpec:
    if start is None:
        raise ConfigError(
            "This recipe trains the system of the checkpoint that it starts from; give that file with --from."
        )
    return open_checkpoint(start).spec


def _without(name: str, spec: SystemSpec, *, at: str) -> SystemSpec:
    if name not in ABLATIONS:
        raise Fault((at, "ablations"), f"names '{name}', but there are {among(ABLATIONS)}")
    ablated = ABLATIONS[name](spec)
    if ablated == spec:
        raise Fault((at, "ablations"), f"names '{name}', but '{spec.name}' has nothing of that kind")
    return ablated


def _changed(spec: SystemSpec, kind: str, changes: Any, *, at: tuple[str, ...]) -> SystemSpec:
    """Change every part of a kind, wherever it stands in a system."""
    if not isinstance(changes, Mapping):
        raise Fault(at, f"is {shown(changes)}, but should be a mapping")
    written = json.loads(spec.to_json())
    parts = list(_parts(written))
    found = [part for part in parts if part["kind"] == kind]
    if not found:
        kinds = dict.fromkeys(part["kind"] for part in parts)
        raise Fault(at, f"is no part of '{spec.name}'; its parts are {among(kinds)}")
    known = dict.fromkeys(field for part in found for field in part)
    for field in changes:
        if field not in known:
            raise Fault((*at, str(field)), f"is not known; known are {among(known)}")
    for part in found:
        part.update(merged(part, changes))
    try:
        return checked(SystemSpec, written)
    except Fault as fault:
        raise Fault(at, f"does not fit: {fault}") from fault


def _parts(written: Any) -> Iterator[dict[str, Any]]:
    """Give every value with a kind, the outer before the inner."""
    if isinstance(written, dict):
        if "kind" in written:
            yield written
        written = list(written.values())
    if isinstance(written, list):
        for inner in written:
            yield from _parts(inner)


def _require_sites(spec: SystemSpec, *, at: str) -> None:
    """Refuse region attention at sites that do not exist: it would run nowhere, without a word."""
    there = {site.name for site in sites(spec.unet)}
    for layer in spec.unet.layers:
        if isinstance(layer, RegionAttentionConfig):
            unknown = sorted(set(layer.sites or ()) - there)
            if unknown:
                raise Fault(
                    (at, "unet", "layers", layer.kind, "sites"),
                    f"names '{unknown[0]}', but the sites are {among(sorted(there))}",
                )
