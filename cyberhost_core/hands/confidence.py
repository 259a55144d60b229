"""Hand confidence: how sure the detector was of each hand, frame by frame (EMO2 section 3.4). Not clarity."""

import numpy as np

from ..types import Pose


def hand_confidence(pose: Pose) -> np.ndarray:
    """Average the detector's scores of each hand's points.

    Shapes:   result (F, 2) float32: left, right
    Units:    0..1; 0 where the hand is not there
    Source:   EMO2 section 3.4: "we employ the hand confidence scores of MANO hand detection in training
              frames"
    Reads:    a keypoint detector scores points, not hands: their mean falls, as the paper wants, with
              occlusion and motion blur
    """
    hands = np.stack([pose.left_hand_FKC, pose.right_hand_FKC], axis=1)
    return np.clip(np.nan_to_num(hands[..., 2]).mean(axis=-1), 0, 1).astype(np.float32)
