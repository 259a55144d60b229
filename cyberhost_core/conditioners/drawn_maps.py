"""What the body follows, drawn: a movement box, skeletons, hands, the box of a face.

maps (C, Y, X) in 0..1, one per frame or one that stands still -> map encoder -> added after conv_in
Absent:   nothing is added, which is not what an empty map's encoding is.
Source:   CyberHost section 3.3 (movement map), 4.4 and appendix E (skeletons, hands); EMO2 section 3.4 (hand
          and keypoint maps); EchoMimicV2, Hallo, AnimateAnyone (PoseGuider)
"""

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor, nn

from ..backbone.conditions import Conditions
from ..backbone.map_encoder import MapEncoder, MapEncoderConfig
from ..config import Share
from ..controls.face_masks import face_box_map
from ..controls.hand_drawing import draw_peer_hands
from ..controls.movement_map import GROWTH_RANGE, draw_movement_map, movement_box
from ..controls.skeleton_map import draw_hands_on, draw_skeleton
from ..data.calibration import Calibration
from ..data.clip import Clip
from ..errors import ConfigError, ImageError
from ..hands.drawing.keypoint_maps import MEDIAN_FRAMES, median_filtered
from ..hands.drawing.motion_maps import KEYPOINT_CHANNELS, draw_motion_maps
from .asks import MAP, Ask
from .conditioner import (
    Conditioner,
    Given,
    InputShapes,
    InputSize,
    Place,
    Reader,
    Settings,
    TrackSize,
    TrainingSettings,
    setting,
)
from .values import REFERENCE, Drive, Encoded, Inputs, Missing, choose, having

# A clip's sound can be longer than its pictures by what its encoder padded: the last map is held that long.
_PADDED_FRAMES = 2
Drawing = Literal["movement", "hands", "face_box", "skeleton", "hand_maps"]
_ONE_MAP = "one drawn map; in ComfyUI use CyberHost Conditions"
_IN_WORDS = {"hand_maps": "rendered hands and arms; in ComfyUI use EMO2 Conditions"}
MOVEMENT_KINDS = ("movement", "hands", "skeleton")


class MapTraining(TrainingSettings):
    """How maps vary in training.

    movement_mix: shares of the movement map alone, with hands drawn on it, and the full skeleton instead
    (CyberHost appendix E trains these separately; a mixture makes one model for all three). median_frames:
    the window over which keypoints of arms and legs are blurred in time (EMO2 section 3.4). drop_keypoints:
    share of clips without arms and legs, so that hands alone can drive, too.
    """

    kind: Literal["drawn_maps"] = "drawn_maps"
    movement_mix: tuple[Share, Share, Share] = (1.0, 0.0, 0.0)
    median_frames: int = MEDIAN_FRAMES
    drop_keypoints: Share = 0.0

    @field_validator("movement_mix")
    @classmethod
    def _is_of_something(cls, mix: tuple[float, float, float]) -> tuple[float, float, float]:
        if not sum(mix):
            raise ValueError("all three shares are 0, and at least one should be more")
        return mix


class DrawnMaps(Conditioner):
    """drawing: what is on the maps; box: width and height of the movement box, as parts of the picture.

    Section 3.3: at inference the box is "of fixed size", here that of the middle training video. always: a
    guidance pass without the reference still sees the map.
    """

    kind: Literal["drawn_maps"] = "drawn_maps"
    encoder: MapEncoderConfig = MapEncoderConfig()
    drawing: Drawing = "movement"
    box: tuple[float, float] = (0.2, 0.1)
    always: bool = True

    def asks_of_track(self) -> tuple[Ask, ...]:
        return (MAP,)

    def of_track(self, told: Given, size: TrackSize) -> dict[str, Any]:
        """Take one map for all frames, or one per frame; a clip's last maps may be held for a few frames.

        Raises:   ConfigError: maps of another kind, or a number of them that fits nothing; ImageError: of
                  another size than the reference
        """
        maps = told[MAP]
        if not isinstance(maps, Tensor):
            return {"maps": maps}  # drawn on demand, to measure
        channels, height, width = maps.shape[1:]
        if channels != self.encoder.channels_in:
            raise ConfigError(
                f"The maps have {channels} channels, but '{size.system}' takes {self.encoder.channels_in}: "
                f"{_IN_WORDS.get(self.drawing, _ONE_MAP)} for this checkpoint."
            )
        if (height, width) != (size.height, size.width):
            raise ImageError(
                f"The map has {width} x {height} pixels, but the reference has {size.width} x {size.height}; "
                "make it from the pose of the same scaled portrait."
            )
        missing = size.frames - len(maps)
        if len(maps) > 1 and missing > _PADDED_FRAMES:
            raise ConfigError(
                f"There are {len(maps)} maps for {size.frames} frames; give one map for all, or at least one "
                "per frame (Align Hands holds or repeats a short track when its frames input is "
                f"{size.frames})."
            )
        # in one layout, so that convolutions give the same bits whoever made the maps
        return {"maps": maps[: size.frames].contiguous()}

    def drive_of(self, clip: Clip, rng: np.random.Generator, settings: Settings) -> Inputs:
        """Draw a clip's maps; of several kinds, all clips of a batch get the same."""
        config = setting(settings, MapTraining())
        if self.drawing == "movement":
            shares = np.cumsum(config.movement_mix)
            number = int(np.searchsorted(shares, clip.shared_chance * shares[-1], side="right"))
            return {"maps": _movement(clip, rng, MOVEMENT_KINDS[number])}
        if self.drawing == "hand_maps":
            return {"maps": _hands_and_limbs(clip, rng, config)}
        return {"maps": _OF_PUBLIC_MODELS[self.drawing](clip)}

    def calibrated(self, calibration: Calibration) -> Self:
        box = calibration.movement_box
        return self if box is None or self.drawing != "movement" else self.derive(box=box)

    def shapes(self, size: InputSize) -> InputShapes:
        return InputShapes(drive={"maps": (size.frames, self.encoder.channels_in, size.height, size.width)})

    def build(self, parts: nn.Module, place: Place) -> Reader:
        return _Reader(self, parts, place)


class _Reader(Reader):
    def __init__(self, config: DrawnMaps, parts: nn.Module, place: Place) -> None:
        self.config, self.channels = config, place.unet.channels[0]
        parts.movement_encoder = self.encode = MapEncoder(config.encoder, self.channels, ops=place.ops)

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        maps_BFCYX = drive["maps"]
        seen = (True,) * drive.clips if self.config.always else having(missing, REFERENCE)
        absent = self._none(maps_BFCYX, drive) if not all(seen) else torch.empty(0)
        present = self._encoded(maps_BFCYX, drive) if any(seen) else absent
        return conditions.plus(map_NCHW=choose(seen, present, absent))

    def _encoded(self, maps_BFCYX: Tensor, drive: Drive) -> Tensor:
        encoded = self.encode(maps_BFCYX.flatten(0, 1))
        moving = maps_BFCYX.shape[1] == drive.frames
        return encoded if moving else encoded.repeat_interleave(drive.frames, dim=0)

    def _none(self, maps_BFCYX: Tensor, drive: Drive) -> Tensor:
        height, width = (side // self.config.encoder.stride for side in maps_BFCYX.shape[-2:])
        return maps_BFCYX.new_zeros(drive.clips * drive.frames, self.channels, height, width)


def _movement(clip: Clip, rng: np.random.Generator, kind: str) -> Tensor:
    if kind == "skeleton":
        return draw_skeleton(clip.pose)
    # The box bounds the whole video, not the frames of the clip: one box holds for all segments later.
    whole = clip.video.pose
    box = movement_box(whole, growth=rng.uniform(*GROWTH_RANGE))
    movement = draw_movement_map(box, height=whole.height, width=whole.width)
    return draw_hands_on(movement, clip.pose) if kind == "hands" else movement[None]


def _hands_and_limbs(clip: Clip, rng: np.random.Generator, config: MapTraining) -> Tensor:
    limbs = median_filtered(clip.video.pose, frames=config.median_frames)[clip.span]
    maps = draw_motion_maps(clip.video.hands[clip.span], limbs)
    if rng.random() < config.drop_keypoints:
        maps[:, KEYPOINT_CHANNELS] = 0
    return maps


# Hallo's map stands still, where the portrait's face is; the others' show every frame.
_OF_PUBLIC_MODELS: dict[str, Callable[[Clip], Tensor]] = {
    "hands": lambda clip: draw_peer_hands(clip.pose),
    "face_box": lambda clip: face_box_map(clip.reference_pose),
    "skeleton": lambda clip: draw_skeleton(clip.pose),
}
