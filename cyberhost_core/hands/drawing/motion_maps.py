"""Motion guidance: rendered hands, and arms and legs, as the channels of one map (EMO2 section 3.4).

hand parameters --hand_maps--> channels 0..2 --+
body keypoints  --keypoint_maps--> 3..5 -------+--> what the video model is driven by
"""

import torch

from ...types import Pose
from ..parameters import HandParameters
from .hand_maps import draw_hand_maps
from .keypoint_maps import draw_keypoint_maps

HAND_CHANNELS, KEYPOINT_CHANNELS = slice(0, 3), slice(3, 6)


def draw_motion_maps(hands: HandParameters, limbs: Pose) -> torch.Tensor:
    """Draw hands and limbs of the same frames; what no frame shows stays black.

    Shapes:   result (F, 6, H, W) float32, H x W the canvas of limbs
    Units:    0..1
    Source:   EMO2 section 3.1: "The MANO maps and keypoint maps generated in Stage 1 are concatenated
              channel-wise and integrated with latent features"
    """
    keypoint_maps = draw_keypoint_maps(limbs)
    if not hands.valid_FH.any():
        return torch.cat([torch.zeros_like(keypoint_maps), keypoint_maps], dim=1)
    hand_maps = draw_hand_maps(hands, height=limbs.height, width=limbs.width)
    return torch.cat([hand_maps, keypoint_maps], dim=1)


class MotionMaps:
    """The motion guidance of a whole video, drawn when frames are asked for: memory stays flat.

    Indexing with frame numbers (N,) gives their maps (N, 6, H, W).
    """

    def __init__(self, hands: HandParameters, limbs: Pose) -> None:
        self.hands, self.limbs = hands, limbs

    def __len__(self) -> int:
        return len(self.hands)

    def __getitem__(self, index_N: torch.Tensor) -> torch.Tensor:
        frames = index_N.numpy()
        return draw_motion_maps(self.hands[frames], self.limbs[frames])
