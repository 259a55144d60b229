"""The maps that a clip is trained with, drawn as the system's maps are at inference, but in all their kinds.

movement    the box of the body, hands drawn on it, or the whole skeleton instead (CyberHost section 4.4)
hand_maps   rendered hands and, beside them as further channels, arms and legs (EMO2 section 3.4)
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..config import Config
from ..controls.movement_map import GROWTH_RANGE, draw_movement_map, movement_box
from ..controls.skeleton_map import draw_hands_on, draw_skeleton
from ..data.store import PreparedVideo
from ..errors import ConfigError
from ..hands.drawing.keypoint_maps import MEDIAN_FRAMES, median_filtered
from ..hands.drawing.motion_maps import KEYPOINT_CHANNELS, draw_motion_maps
from ..systems.spec import SystemSpec

MOVEMENT_KINDS = ("movement", "hands", "skeleton")


class MapConfig(Config):
    """How maps vary in training.

    movement_mix: shares of the movement map alone, with hands drawn on it, and the full skeleton instead
    (CyberHost appendix E trains these separately; a mixture makes one model for all three). median_frames:
    the window over which keypoints of arms and legs are blurred in time (EMO2 section 3.4). drop_keypoints:
    share of clips without arms and legs, so that hands alone can drive, too.
    """

    movement_mix: tuple[float, float, float] = (1.0, 0.0, 0.0)
    median_frames: int = MEDIAN_FRAMES
    drop_keypoints: float = 0.0


@dataclass(frozen=True)
class DrawnMaps:
    """Draw one kind of map for every clip of a batch."""

    config: MapConfig
    kind: str

    def __call__(self, video: PreparedVideo, span: slice, rng: np.random.Generator) -> Tensor:
        """Draw the maps of some frames of a video.

        Shapes:   result (F or 1, C, Y, X) in 0..1
        """
        if self.kind == "hand_maps":
            return self._motion_maps(video, span, rng)
        if self.kind == "skeleton":
            return draw_skeleton(video.pose[span])
        # The box bounds the whole video, not the 12 frames of the clip: one box holds for all segments later.
        box = movement_box(video.pose, growth=rng.uniform(*GROWTH_RANGE))
        movement = draw_movement_map(box, height=video.pose.height, width=video.pose.width)
        return draw_hands_on(movement, video.pose[span]) if self.kind == "hands" else movement[None]

    def _motion_maps(self, video: PreparedVideo, span: slice, rng: np.random.Generator) -> Tensor:
        limbs = median_filtered(video.pose, frames=self.config.median_frames)[span]
        maps = draw_motion_maps(video.hands[span], limbs)
        if rng.random() < self.config.drop_keypoints:
            maps[:, KEYPOINT_CHANNELS] = 0
        return maps


def choose_maps(spec: SystemSpec, config: MapConfig, rng: np.random.Generator) -> DrawnMaps:
    """Choose the kind of map for a batch, among those that the system is trained with.

    Raises:   ConfigError: no trainer draws this system's maps
    """
    if spec.map_kind == "movement":
        share = np.array(config.movement_mix)
        return DrawnMaps(config, MOVEMENT_KINDS[rng.choice(len(share), p=share / share.sum())])
    if spec.map_kind != "hand_maps":
        raise ConfigError(
            f"'{spec.name}' is driven by {spec.map_kind.replace('_', ' ')} maps, but training draws movement "
            "maps and hand maps only; train a system of one of these kinds."
        )
    return DrawnMaps(config, spec.map_kind)
