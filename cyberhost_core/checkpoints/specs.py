"""A system's specification as a checkpoint holds it, today's and that of files written before conditioners.

Before, parts were fields of the specification, null where a system had none:

    {"movement_encoder": {...}, "clarity": null, "audio": {...}, "reference_scale": 2.5, ...}

and are now entries of its list of conditioners. Banks of region latents did not say what their positions
turn, because there was one way. Such files stay as they are and are translated when read.
"""

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from .. import conditioners, guidance
from ..errors import ConfigError
from ..systems.spec import SystemSpec

# A kind is known once its file has been imported, and a file may list any.
for package in (conditioners, guidance):
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")

_KEPT = ("name", "unet", "schedule", "noise_limit", "latent_scale", "any_size", "height", "width", "fps")
_FIRST_BANKS = {"rows": 1, "places": "keys", "basis": "orthonormal"}
Json = Mapping[str, Any]


def read_spec(text: str) -> SystemSpec:
    """Read the specification in a checkpoint's metadata.

    Raises:   ConfigError: it is of a newer version, or damaged
    """
    try:
        told = json.loads(text)
    except ValueError:
        return SystemSpec.parse(text)  # which says what is wrong
    if not isinstance(told, dict):
        return SystemSpec.parse(text)
    try:
        translated = _with_banks(told if "conditioners" in told else _translated(told))
    except KeyError as error:
        raise ConfigError(
            f"The configuration of SystemSpec is not usable: {error} is missing; use a file written by this "
            "version of cyberhost, or convert it again."
        ) from error
    return SystemSpec.parse(json.dumps(translated))


def _with_banks(told: Json) -> Json:
    """Say of banks that do not say it themselves what all banks were."""

    def completed(layer: Json) -> Json:
        if layer.get("kind") != "region_attention":
            return layer
        return {**layer, "banks": [{**_FIRST_BANKS, **bank} for bank in layer["banks"]]}

    unet = told["unet"]
    return {**told, "unet": {**unet, "layers": [completed(layer) for layer in unet["layers"]]}}


def _translated(old: Json) -> dict[str, Any]:
    long = dict(old["long_video"])
    motion_frames = long.pop("motion_frames", 0)
    return {
        **{name: old[name] for name in _KEPT if name in old},
        "conditioners": list(_conditioners(old, motion_frames=motion_frames)),
        "guidance": {
            "kind": "dual",
            "reference_scale": old["reference_scale"],
            "audio_scale": old["audio_scale"],
        },
        "long_video": {"kind": "chain", **long},
    }


def _conditioners(old: Json, *, motion_frames: int) -> Iterator[Json]:
    """List what an older specification's fields stand for, in the order in which it was read."""
    layers = old["unet"]["layers"]
    image = dict(old.get("image_tokens") or {})
    alternating = image.pop("alternating", False)
    if image:
        yield {"kind": "image_tokens", **image}
    yield {"kind": "reference_features", "skeleton": old["pose_encoder"], "alternating": alternating}
    if motion_frames:
        yield {"kind": "motion_frames", "frames": motion_frames, "alternating": alternating}
    regions = [
        layer["region"] for layer in layers if layer["kind"] == "region_attention" and layer["identity_dim"]
    ]
    if regions:
        yield {"kind": "region_identity", "regions": regions, **old["identity"]}
    if old["movement_encoder"]:
        yield {
            "kind": "drawn_maps",
            "encoder": old["movement_encoder"],
            "drawing": old.get("map_kind", "movement"),
            "box": old["movement_box"],
            "always": old.get("null_keeps_map", True),
        }
    if old.get("reference_input"):
        yield {"kind": "reference_input"}
    if old["audio"]:
        yield {"kind": "sound", **old["audio"]}
    if heard := [layer for layer in layers if layer["kind"] == "audio_transformer"]:
        yield {"kind": "sound_regions", "regions": heard[0]["regions"]}
    if old["clarity"]:
        yield {"kind": "hand_clarity", **old["clarity"]}
    if confidence := old.get("hand_confidence"):
        yield {"kind": "hand_confidence", "high": confidence}
