"""Build the three conditionings of a track."""

from collections.abc import Collection

import torch

from ...cyberhost_core.conditioners.asks import MAP, SOUND, Ask, require_all
from ...cyberhost_core.conditioners.conditioner import Given
from ...cyberhost_core.conditioners.drawn_maps import DrawnMaps
from ...cyberhost_core.errors import CheckpointError
from ...cyberhost_core.guidance.guidance import FULL, WITHOUT_BOTH, WITHOUT_SOUND
from ...cyberhost_core.sampling.track import make_track
from ...cyberhost_core.systems.spec import SystemSpec
from ...cyberhost_core.units import LATENT_STRIDE_PX
from ..helpers.types import Parts, ReferenceBank
from .passage import KEY, Passage

_HEAR = "connect Wav2Vec Audio Features to audio_features"
_DRAWN = "connect a map, such as Body Movement Map, Skeleton Map or Face Box Map gives it, to map"
_RENDERED = "use EMO2 Conditions, and connect Render Hand Maps to its hand_maps"


def make_passes(
    parts: Parts, bank: ReferenceBank, told: Given, *, connected: Collection[Ask]
) -> tuple[list[list], dict, list[Ask]]:
    """Join reference and drive: the three conditionings, an empty latent, and what has no effect.

    told: what drives the video; connected: what of it came over a wire, and not from a widget
    Raises:   CheckpointError: a reference of another checkpoint; ConfigError: something that the system needs
              is missing; whatever the system's conditioners refuse
    """
    spec = parts.spec
    if bank.identity != parts.identity:
        raise CheckpointError(
            f"The reference was made with the checkpoint '{bank.identity}' and the parts are of "
            f"'{parts.identity}'; load both from one Load CyberHost node."
        )
    given = {ask: ask in connected for ask in (SOUND, MAP, *connected)}
    unused = require_all(spec.asks_of_track, given, system=spec.name, how=_how(spec))
    track = make_track(spec, told, height=bank.height, width=bank.width)
    # a real tensor, because native nodes such as ConditioningZeroOut compute with it
    token = torch.zeros(1, 1, 1)
    conditionings = [
        [
            [
                token,
                {
                    KEY: Passage(seen=seen, parts=parts, bank=bank, track=track, motion=bank.opening),
                    "additional_models": [parts.encoders],
                },
            ]
        ]
        for seen in (FULL, WITHOUT_SOUND, WITHOUT_BOTH)
    ]
    cells = (bank.height // LATENT_STRIDE_PX, bank.width // LATENT_STRIDE_PX)
    empty = torch.zeros(1, spec.unet.latent_channels, *cells)
    return conditionings, {"samples": empty.expand(len(track), -1, -1, -1)}, unused


def _how(spec: SystemSpec) -> dict[Ask, str]:
    rendered = any(maps.drawing == "hand_maps" for maps in spec.listed(DrawnMaps))
    return {SOUND: _HEAR, MAP: _RENDERED if rendered else _DRAWN}
