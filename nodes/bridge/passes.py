"""Build the three conditionings of a track."""

import torch
from torch import Tensor

from ...cyberhost_core.conditions.audio_windows import windows
from ...cyberhost_core.errors import AudioError, CheckpointError, ConfigError, ImageError
from ...cyberhost_core.systems.sampling import Track
from ..types import AudioTrack, Clarity, Parts, ReferenceBank
from .passage import KEY, Passage

# A clip's sound can be longer than its pictures by what its encoder padded: the last map is held that long.
_PADDED_FRAMES = 2


def make_passes(
    parts: Parts,
    bank: ReferenceBank,
    audio: AudioTrack,
    *,
    map_BYXC: Tensor,
    hand_clarity: float,
    clarity: Clarity | None,
) -> tuple[list, list, list, dict]:
    """Join reference, sound, map and clarity: positive, reference only, negative and an empty latent.

    Raises:   CheckpointError: a reference of another checkpoint; AudioError: features of another encoder;
              ImageError: a map of another size; ConfigError: a number of maps that fits nothing
    """
    spec = parts.spec
    if bank.identity != parts.identity:
        raise CheckpointError(
            f"The reference was made with the checkpoint '{bank.identity}' and the parts are of "
            f"'{parts.identity}'; load both from one Load CyberHost node."
        )
    track = Track(
        audio_FWD=_windows(audio, parts),
        maps_FCYX=_maps(map_BYXC, bank, frames=len(audio.features_FD)),
        clarity_4=_clarity(parts, hand_clarity) if clarity is None else clarity.scores_F4.mean(dim=0),
    )
    # a real tensor, because native nodes such as ConditioningZeroOut compute with it
    token = torch.zeros(1, 1, 1)
    conditionings = [
        [
            [
                token,
                {
                    KEY: Passage(name=name, parts=parts, bank=bank, track=track),
                    "additional_models": [parts.encoders],
                },
            ]
        ]
        for name in ("full", "reference", "null")
    ]
    cells = (spec.unet.latent_channels, bank.height // 8, bank.width // 8)
    latent = {"samples": torch.zeros(1, *cells).expand(len(track), -1, -1, -1)}
    return conditionings[0], conditionings[1], conditionings[2], latent


def _windows(audio: AudioTrack, parts: Parts) -> Tensor:
    spec = parts.spec
    if spec.audio is None:
        return windows(audio.features_FD, size=1)
    width = audio.features_FD.shape[1]
    if width != spec.audio.feature_dim:
        raise AudioError(
            f"The audio features have {width} numbers per frame, but '{spec.name}' was trained on "
            f"{spec.audio.feature_dim}; use the audio_encoder output of the same Load CyberHost node."
        )
    return windows(audio.features_FD, size=spec.audio.window)


def _maps(map_BYXC: Tensor, bank: ReferenceBank, *, frames: int) -> Tensor:
    if tuple(map_BYXC.shape[1:3]) != (bank.height, bank.width):
        raise ImageError(
            f"The map has {map_BYXC.shape[2]} x {map_BYXC.shape[1]} pixels, but the reference has "
            f"{bank.width} x {bank.height}; make it from the pose of the same scaled portrait."
        )
    missing = frames - len(map_BYXC)
    if len(map_BYXC) > 1 and missing > _PADDED_FRAMES:
        raise ConfigError(
            f"There are {len(map_BYXC)} maps for {frames} frames; give one map for all, or at least one per "
            f"frame (Align Hands holds or repeats a short track when its frames input is {frames})."
        )
    maps = map_BYXC[:frames, ..., :3].permute(0, 3, 1, 2).contiguous()
    held = maps[-1:].expand(max(0, missing) if len(maps) > 1 else 0, -1, -1, -1)
    return torch.cat([maps, held])


def _clarity(parts: Parts, wanted: float) -> Tensor:
    if parts.spec.clarity is None:
        return torch.zeros(4)
    low, high = torch.tensor(parts.spec.clarity.low), torch.tensor(parts.spec.clarity.high)
    return low + wanted * (high - low)
