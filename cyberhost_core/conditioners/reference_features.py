"""What the ReferenceNet sees in the portrait: features that join the denoiser's self-attention.

portrait's latents (+ skeleton, encoded) -> ReferenceNet -> features by module path
Absent:   the clip attends to itself only, never to zeros.
Source:   CyberHost section 3.1 (after AnimateAnyone); the skeleton: section 3.3, "pose-aligned reference"
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ..backbone.conditions import Conditions
from ..backbone.map_encoder import MapEncoder, MapEncoderConfig
from ..backbone.reference_net import ReferenceNet
from ..backbone.unet import UNetConfig
from ..controls.skeleton_map import draw_skeleton
from ..data.clip import Clip
from .asks import POSE, Ask
from .conditioner import Conditioner, Given, InputShapes, InputSize, Place, Reader
from .image_tokens import tokens
from .values import REFERENCE, Drive, Encoded, Inputs, Missing, having


class ReferenceFeatures(Conditioner):
    """skeleton: encoder of the portrait's skeleton, which is added after the ReferenceNet's conv_in.

    alternating: inputs of the ReferenceNet, and frames that read them, take the image tokens of the pass
    without and with the reference in turns. A slip of Hallo's that its weights were trained with.
    """

    kind: Literal["reference_features"] = "reference_features"
    skeleton: MapEncoderConfig | None = None
    alternating: bool = False

    def asks_of_portrait(self) -> tuple[Ask, ...]:
        return (POSE,) if self.skeleton else ()

    def of_portrait(self, known: Given, *, unet: UNetConfig) -> Inputs:
        return {"skeleton": draw_skeleton(known[POSE])} if self.skeleton else {}

    def portrait_of(self, clip: Clip, *, unet: UNetConfig) -> Inputs:
        return {"skeleton": draw_skeleton(clip.reference_pose)[0]} if self.skeleton else {}

    def shapes(self, size: InputSize) -> InputShapes:
        return InputShapes(portrait={"skeleton": (3, size.height, size.width)} if self.skeleton else {})

    def build(self, parts: nn.Module, place: Place) -> Reader:
        return _Reader(self, parts, place)


def image_tokens_of_input(
    reference: Encoded, *, present: bool, number: int, alternating: bool, inputs: int
) -> Tensor:
    """Image tokens for one input of the ReferenceNet: number `number` of the `inputs` that serve a pass.

    Inputs of a pass are the reference, then its motion frames.
    """
    if alternating:
        return tokens(reference, present=bool((present * inputs + number) % 2))
    return tokens(reference, present=present)


class _Reader(Reader):
    def __init__(self, config: ReferenceFeatures, parts: nn.Module, place: Place) -> None:
        parts.reference_net = self.network = ReferenceNet(place.unet, ops=place.ops)
        self.skeleton_encoders: list[MapEncoder] = []  # one, or none
        if config.skeleton:
            parts.pose_encoder = MapEncoder(config.skeleton, place.unet.channels[0], ops=place.ops)
            self.skeleton_encoders.append(parts.pose_encoder)
        self.passes = (False, True) if config.alternating else (True,)
        self.alternating, self.inputs = config.alternating, 1 + place.past_frames

    def read(self, portrait: Inputs, so_far: Encoded) -> Inputs:
        latents_BCHW, count = portrait["latents"], len(self.passes)
        skeleton = latents_BCHW.new_zeros(1)
        for encode in self.skeleton_encoders:
            skeleton = encode(portrait["skeleton"]).repeat_interleave(count, dim=0)
        image = [
            image_tokens_of_input(
                so_far, present=present, number=0, alternating=self.alternating, inputs=self.inputs
            )
            for present in self.passes
        ]
        features = self.network.features(
            latents_BCHW[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1),
            skeleton,
            torch.stack(image, dim=1).flatten(0, 1),
        )
        return {f"features:{path}": value for path, value in features.items()}

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        features = reference.under("features")
        return replace(
            conditions,
            reference={path: _in_turn(value, drive) for path, value in features.items()},
            reference_rows=having(missing, REFERENCE),
        )


def _in_turn(feature: Tensor, drive: Drive) -> Tensor:
    """Where a clip has several references, let the first frame meet the one that is its turn.

    The pass with the reference follows the one without in a joined batch, whose rows are counted through.
    """
    if len(feature) == drive.clips:  # one each, as nearly always: no copy of a whole bank
        return feature
    return feature.unflatten(0, (drive.clips, -1)).roll(-drive.frames, dims=1).flatten(0, 1)
