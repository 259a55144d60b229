"""What a system asks for, read from its spec: what else is given has no effect, what lacks is named."""

from collections.abc import Mapping
from typing import Literal

from ..backbone.audio_transformer import AudioTransformerConfig
from ..backbone.region_attention import RegionAttentionConfig
from ..errors import ConfigError
from .spec import SystemSpec

Want = Literal["sound", "map", "clarity", "pose", "hands", "face", "embedding"]


def wants(spec: SystemSpec) -> frozenset[Want]:
    """List what this system reads.

    sound, map, clarity drive it; pose: of the reference picture, drawn or for the places of face and lips;
    hands, face: crops and identity vector of the reference person; embedding: CLIP's, of the picture.
    """
    regions = {
        layer.region
        for layer in spec.unet.layers
        if isinstance(layer, RegionAttentionConfig) and layer.identity_dim
    }
    image = spec.image_tokens
    heard_by_region = any(isinstance(layer, AudioTransformerConfig) for layer in spec.unet.layers)
    asked: dict[Want, bool] = {
        "sound": spec.audio is not None,
        "map": spec.movement_encoder is not None,
        "clarity": spec.clarity is not None,
        "pose": spec.pose_encoder is not None or heard_by_region,
        "hands": "hands" in regions,
        "face": "face" in regions or (image is not None and image.source == "face"),
        "embedding": image is not None and image.source == "clip",
    }
    return frozenset(want for want, is_asked in asked.items() if is_asked)


def require_wanted(spec: SystemSpec, given: Mapping[Want, bool], *, where: Mapping[Want, str]) -> list[str]:
    """Compare what was given with what the system wants; returns what was given in vain.

    where: how the user provides each thing, as the end of a sentence ("connect ...")
    Raises:   ConfigError: something that the system needs is missing
    """
    asked = wants(spec)
    missing: list[Want] = [want for want, is_given in given.items() if want in asked and not is_given]
    if missing:
        raise ConfigError(f"'{spec.name}' needs {_NAMES[missing[0]]}, which is missing: {where[missing[0]]}.")
    return [_NAMES[want] for want, is_given in given.items() if is_given and want not in asked]


_NAMES: dict[Want, str] = {
    "sound": "speech features",
    "map": "a map",
    "clarity": "hand clarity scores",
    "pose": "the pose of the reference person",
    "hands": "crops of the reference person's hands",
    "face": "the face of the reference person",
    "embedding": "CLIP's embedding of the reference picture",
}
