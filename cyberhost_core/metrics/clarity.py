"""Clarity: how sharp are the hands of a clip?

    frames --pose detector--> hand boxes -> 128 x 128 grey -> Laplacian -> deviation -> mean of the clip

The measure is the one that the model is conditioned on (controls.hand_clarity), so a model that obeys its
control must move it.
"""

import numpy as np

from ..controls.hand_clarity import absolute_clarity
from ..types import Pose


def hand_sharpness(frames_FYXC: np.ndarray, pose: Pose) -> float:
    """Measure the sharpness of both hands, averaged over the frames that show them.

    Shapes:   frames_FYXC (F, Y, X, 3) uint8 RGB, of the pose's canvas; pose of F frames
    Units:    grey levels (0..255 scale), higher is sharper; NaN when no frame shows a hand
    Source:   CyberHost (ICLR 2025) section 3.3, appendix D, algorithm 1 (the absolute score)
    """
    scores = [absolute_clarity(frames_FYXC, hand) for hand in (pose.left_hand_FKC, pose.right_hand_FKC)]
    seen = np.concatenate(scores)
    seen = seen[np.isfinite(seen)]
    return float(seen.mean()) if len(seen) else float("nan")
