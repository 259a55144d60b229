"""From recipe files, and what a command changes of them, to a recipe.

entries --system, image_system--> specifications
        --image, video----------> stages, whose losses and settings are listed by kind
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

from ...backbone.motion_module import MotionModuleConfig
from ...conditioners.conditioner import TrainingSettings
from ...config import Member
from ...errors import ConfigError
from ...systems.spec import SystemSpec
from .. import losses
from ..batches import SamplingConfig
from ..losses.loss import Loss
from ..stage import StageConfig
from .entries import EXTENDS, Change, Entries, by_kind, read_change, read_entries, recipe_file, with_changes
from .faults import Fault, among, checked, shown
from .recipe import Recipe
from .systems import image_system_of, system_of

# A loss is known once its file has been imported, and a recipe may list any.
for module in iter_modules(losses.__path__):
    import_module(f"{losses.__name__}.{module.name}")

Kind = TypeVar("Kind", bound=Member)
_ENTRIES = {"system": None, "image_system": "basic_modules", "image": None, "video": None}


def read_recipe(source: str, changes: Sequence[str] = (), *, start: Path | None = None) -> Recipe:
    """Read a recipe: a name of one that comes with the package, or the path of a file.

    changes: FIELD=VALUE, as for --set; start: the checkpoint that training starts from, whose system some
    recipes take

    Raises:   ConfigError: there is none, or something in it cannot be used; the sentence says what;
              MissingExtraError: PyYAML is not installed
    """
    path, asked = recipe_file(source), [read_change(change) for change in changes]
    try:
        entries = read_entries(path, completed=_with_defaults)
        return _recipe(with_changes(entries, asked), start=start)
    except Fault as fault:
        raise ConfigError(f"{origin(fault, path, asked)} cannot be used: {fault}.") from fault


def origin(fault: Fault, path: Path, changes: Sequence[Change]) -> str:
    """Begin the sentence about a fault: with the change that set the entry, else with the file."""
    where = tuple(map(str, fault.path))
    for change in reversed(changes):
        common = min(len(where), len(change.path))
        if common and where[:common] == change.path[:common]:
            return f"--set {'.'.join(change.path)}={shown(change.value)}"
    return f"The recipe {path}"


def _recipe(entries: Entries, *, start: Path | None) -> Recipe:
    for name in entries:
        if name == EXTENDS:  # a file's own is gone by now
            raise Fault((name,), "can only stand in a file")
        if name not in _ENTRIES:
            raise Fault((name,), f"is not known; known are {among((*_ENTRIES, EXTENDS))}")
    given = {name: entries.get(name, default) for name, default in _ENTRIES.items()}
    for name, entry in given.items():
        if entry is None and not (name == "image" and name in entries):  # null: there is no stage 1
            raise Fault((name,), "is missing")
    system, has_image = system_of(given["system"], start=start), given["image"] is not None
    recipe = Recipe(
        system=system,
        image_system=image_system_of(given["image_system"], system) if has_image else None,
        image=_stage("image", given["image"]) if has_image else None,
        video=_stage("video", given["video"]),
    )
    for name in ("image", "video") if has_image else ("video",):
        _require_places(*recipe.stage(name))
    return recipe


def _stage(name: str, entry: Any) -> StageConfig:
    stage = dict(_mapping(entry, (name,)))
    sampling = dict(_mapping(stage.get("sampling"), (name, "sampling")))
    sampling["settings"] = _members(TrainingSettings, sampling["settings"], at=(name, "sampling", "settings"))
    stage["sampling"] = checked(SamplingConfig, sampling, at=(name, "sampling"))
    stage["losses"] = _members(Loss, stage["losses"], at=(name, "losses"))
    if "name" in stage:
        raise Fault((name, "name"), "is not known: a stage is named by its entry")
    return checked(StageConfig, {"name": name, **stage}, at=(name,))


def _require_places(system: SystemSpec, stage: StageConfig) -> None:
    """Refuse clips that are longer than the motion modules have positions for."""
    for layer in (*system.unet.layers, *system.unet.plain_layers):
        if isinstance(layer, MotionModuleConfig):
            room = layer.positions - layer.first_position
            if stage.frames > room:
                raise Fault(
                    (stage.name, "frames"),
                    f"is {stage.frames}, but should be at most {room}: the motion modules of "
                    f"'{system.name}' have no more positions",
                )


def _members(family: type[Kind], listed: Any, *, at: tuple[str, ...]) -> tuple[Kind, ...]:
    """Read members of a family: a mapping of kinds, where null leaves one out, or a list."""
    kinds = by_kind(listed) if isinstance(listed, list) else listed
    members = []
    for kind, values in _mapping(kinds, at).items():
        if values is None:
            continue
        if kind not in family.kinds():
            raise Fault((*at, kind), f"is not known; known are {among(family.kinds())}")
        own = {"kind": kind, **_mapping(values, (*at, kind))}
        members.append(checked(family.kinds()[kind], own, at=(*at, kind)))
    return tuple(members)


def _mapping(entry: Any, at: tuple[str, ...]) -> Entries:
    if not isinstance(entry, Mapping):
        raise Fault(at, f"is {shown(entry)}, but should be a mapping")
    return entry


def _with_defaults(entries: Entries) -> Entries:
    """Write down what stages leave out and others may change in part."""

    def completed(stage: Any) -> Any:
        if not isinstance(stage, Mapping):
            return stage
        sampling = stage.get("sampling") or {}
        if isinstance(sampling, Mapping):
            drawn = SamplingConfig().model_dump(mode="json")
            sampling = {"settings": {}, "drop": drawn["drop"], **sampling}
        usual = [loss.model_dump(mode="json") for loss in StageConfig.model_fields["losses"].default]
        return {"losses": by_kind(usual), **stage, "sampling": sampling}

    return {
        name: completed(entry) if name in {"image", "video"} else entry for name, entry in entries.items()
    }
