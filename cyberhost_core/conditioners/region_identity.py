"""What this person's hands and face look like: tokens for the regions' attention.

both hands' crops -> hand encoder      face vector -> projection
Absent:   the region's identity attention adds nothing.
Source:   CyberHost section 3.2, equation 4 (regional image encoders R)
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from ..backbone.conditions import Conditions, identity_of
from ..backbone.embeddings import FaceProjection
from ..backbone.map_encoder import HandEncoder, MapEncoderConfig
from ..backbone.unet import UNetConfig
from ..data.clip import Clip
from .asks import FACE, HANDS, Ask
from .conditioner import Conditioner, Given, InputShapes, InputSize, Place, Reader
from .values import REFERENCE, Drive, Encoded, Inputs, Missing, having

if TYPE_CHECKING:
    from collections.abc import Callable

_FACE_VECTOR = 512  # ArcFace's
_CROP_PX = 128  # of a hand


class RegionIdentity(Conditioner):
    """regions: those whose attention reads identity tokens; token_dim: of all of them."""

    kind: Literal["region_identity"] = "region_identity"
    regions: tuple[Literal["face", "hands"], ...] = ("face", "hands")
    token_dim: int = 512
    face_tokens: int = 4
    hand_encoder: MapEncoderConfig = MapEncoderConfig(widths=(16, 32, 96, 256, 256), depth=2)

    @property
    def brings(self) -> frozenset[str]:
        return frozenset(map(identity_of, self.regions))

    def asks_of_portrait(self) -> tuple[Ask, ...]:
        return tuple(ask for region, ask in (("hands", HANDS), ("face", FACE)) if region in self.regions)

    def of_portrait(self, known: Given, *, unet: UNetConfig) -> Inputs:
        made = {}
        if "hands" in self.regions:
            made["hand_crops"] = known[HANDS][None]
        if "face" in self.regions:
            made["face_vector"] = known[FACE].unit_D[None]
        return made

    def portrait_of(self, clip: Clip, *, unet: UNetConfig) -> Inputs:
        made = {
            "hands": ("hand_crops", lambda: torch.from_numpy(clip.hand_crops_HCYX).float() / 255),
            "face": ("face_vector", lambda: torch.from_numpy(clip.face_vector_D)),
        }
        return {made[region][0]: made[region][1]() for region in self.regions}

    def shapes(self, size: InputSize) -> InputShapes:
        each = {"hands": ("hand_crops", (2, 3, _CROP_PX, _CROP_PX)), "face": ("face_vector", (_FACE_VECTOR,))}
        return InputShapes(portrait=dict(each[region] for region in self.regions))

    def build(self, parts: nn.Module, place: Place) -> Reader:
        return _Reader(self, parts, place)


class _Reader(Reader):
    def __init__(self, config: RegionIdentity, parts: nn.Module, place: Place) -> None:
        self.describe: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {}
        if "hands" in config.regions:
            parts.hand_encoder = HandEncoder(config.hand_encoder, config.token_dim, ops=place.ops)
            self.describe["hands"] = ("hand_crops", parts.hand_encoder)
        if "face" in config.regions:
            parts.face_projection = FaceProjection(
                _FACE_VECTOR, config.token_dim, tokens=config.face_tokens, ops=place.ops
            )
            self.describe["face"] = ("face_vector", parts.face_projection)

    def read(self, portrait: Inputs, so_far: Encoded) -> Inputs:
        return {
            f"identity:{region}": describe(portrait[name])
            for region, (name, describe) in self.describe.items()
        }

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        return replace(
            conditions, identity=reference.under("identity"), reference_rows=having(missing, REFERENCE)
        )
