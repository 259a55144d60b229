"""Build the three conditionings of a track."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...cyberhost_core.backbone.audio_transformer import AudioTransformerConfig
from ...cyberhost_core.controls.face_masks import face_masks, mask_levels
from ...cyberhost_core.diffusion.guidance import PassName
from ...cyberhost_core.errors import CheckpointError, ConfigError, ImageError
from ...cyberhost_core.systems.spec import SystemSpec
from ...cyberhost_core.systems.track import Track, audio_windows, silence
from ...cyberhost_core.systems.wants import Want, require_wanted
from ..helpers.types import AudioTrack, Clarity, Parts, ReferenceBank
from .passage import KEY, Passage

# A clip's sound can be longer than its pictures by what its encoder padded: the last map is held that long.
_PADDED_FRAMES = 2
_HEAR = "connect Wav2Vec Audio Features to audio_features"
_DRAWN = "connect a map, such as Body Movement Map, Skeleton Map or Face Box Map gives it, to map"
_RENDERED = "use EMO2 Conditions, and connect Render Hand Maps to its hand_maps"
_BY_HANDS = "hand_maps"  # the kind of map that EMO2 Conditions brings
_PASSES: tuple[PassName, ...] = ("full", "reference", "null")


@dataclass(frozen=True, eq=False, kw_only=True)
class Told:
    """What drives the video, as it comes from the wires; None where nothing is connected.

    maps_FCYX: one for all frames, or one per frame; hand_clarity: 0..1 of the calibrated range, unless
    clarity was measured; confidence_F2: how sure a detector would be of each hand
    region_weights: how much full picture, face and lips listen
    """

    audio: AudioTrack | None
    maps_FCYX: Tensor | None
    clarity: Clarity | None = None
    hand_clarity: float = 1.0
    confidence_F2: Tensor = field(default_factory=lambda: torch.zeros(1, 2))
    region_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)


def make_passes(parts: Parts, bank: ReferenceBank, told: Told) -> tuple[list[list], dict, list[str]]:
    """Join reference and drive: the three conditionings, an empty latent, and what was given in vain.

    Raises:   CheckpointError: a reference of another checkpoint; AudioError: features of another encoder;
              ImageError: a map of another size; ConfigError: something that the system needs is missing, or a
              number of maps that fits nothing
    """
    spec = parts.spec
    if bank.identity != parts.identity:
        raise CheckpointError(
            f"The reference was made with the checkpoint '{bank.identity}' and the parts are of "
            f"'{parts.identity}'; load both from one Load CyberHost node."
        )
    given: dict[Want, bool] = {"sound": told.audio is not None, "map": told.maps_FCYX is not None}
    if told.clarity is not None:  # the slider stands for it otherwise
        given["clarity"] = True
    in_vain = require_wanted(spec, given, where=_where(spec))
    audio = None if spec.audio is None else told.audio
    frames = _frames(audio, told.maps_FCYX)
    track = Track(
        audio_FWD=silence(frames)
        if audio is None
        else audio_windows(spec, audio.features_FD, hearing=audio.hearing),
        maps_FCYX=torch.zeros(1)
        if told.maps_FCYX is None
        else _maps(told.maps_FCYX, spec, bank, frames=frames),
        confidence_F2=told.confidence_F2,
        clarity_4=_clarity(parts, told.hand_clarity)
        if told.clarity is None
        else told.clarity.scores_F4.mean(dim=0),
        masks=_masks(parts, bank),
        region_weights=told.region_weights,
    )
    # a real tensor, because native nodes such as ConditioningZeroOut compute with it
    token = torch.zeros(1, 1, 1)
    conditionings = [
        [
            [
                token,
                {
                    KEY: Passage(name=name, parts=parts, bank=bank, track=track, motion=bank.opening),
                    "additional_models": [parts.encoders],
                },
            ]
        ]
        for name in _PASSES
    ]
    cells = (spec.unet.latent_channels, bank.height // 8, bank.width // 8)
    latent = {"samples": torch.zeros(1, *cells).expand(frames, -1, -1, -1)}
    return conditionings, latent, in_vain


def _where(spec: SystemSpec) -> dict[Want, str]:
    return {"sound": _HEAR, "map": _RENDERED if spec.map_kind == _BY_HANDS else _DRAWN}


def _frames(audio: AudioTrack | None, maps_FCYX: Tensor | None) -> int:
    if audio is not None:
        return len(audio.features_FD)
    if maps_FCYX is None:
        raise ConfigError(
            "Nothing says how long the video is: neither speech features nor maps are connected; connect one "
            "map per frame, such as Skeleton Map makes from a video."
        )
    return len(maps_FCYX)


def _maps(maps_FCYX: Tensor, spec: SystemSpec, bank: ReferenceBank, *, frames: int) -> Tensor:
    channels, height, width = maps_FCYX.shape[1:]
    if spec.movement_encoder is not None and channels != spec.movement_encoder.channels_in:
        is_driven = "rendered hands and arms" if spec.map_kind == _BY_HANDS else "one drawn map"
        node = "EMO2 Conditions" if spec.map_kind == _BY_HANDS else "CyberHost Conditions"
        raise ConfigError(
            f"The maps have {channels} channels, but '{spec.name}' takes "
            f"{spec.movement_encoder.channels_in}: {is_driven}; use {node} for this checkpoint."
        )
    if (height, width) != (bank.height, bank.width):
        raise ImageError(
            f"The map has {width} x {height} pixels, but the reference has {bank.width} x {bank.height}; "
            "make it from the pose of the same scaled portrait."
        )
    missing = frames - len(maps_FCYX)
    if len(maps_FCYX) > 1 and missing > _PADDED_FRAMES:
        raise ConfigError(
            f"There are {len(maps_FCYX)} maps for {frames} frames; give one map for all, or at least one per "
            f"frame (Align Hands holds or repeats a short track when its frames input is {frames})."
        )
    maps = maps_FCYX[:frames]
    held = maps[-1:].expand(max(0, missing) if len(maps) > 1 else 0, -1, -1, -1)
    return torch.cat([maps, held])


def _clarity(parts: Parts, wanted: float) -> Tensor:
    if parts.spec.clarity is None:
        return torch.zeros(4)
    low, high = torch.tensor(parts.spec.clarity.low), torch.tensor(parts.spec.clarity.high)
    return low + wanted * (high - low)


def _masks(parts: Parts, bank: ReferenceBank) -> Mapping[int, Tensor]:
    """Masks of the regions that listen, at every resolution of the U-Net; none for most systems.

    Raises:   PoseError: the reference shows no face
    """
    unet = parts.spec.unet
    if bank.pose is None or not any(isinstance(layer, AudioTransformerConfig) for layer in unet.layers):
        return {}
    sizes = [
        (-(-bank.height // 8 // 2**stage), -(-bank.width // 8 // 2**stage))
        for stage in range(len(unet.channels))
    ]
    return dict(enumerate(mask_levels(face_masks(bank.pose), sizes)))
