"""Hand landing: do the hands of a video lie where they were driven to?

driven hands --keypoints--------------+
frames --pose detector--> keypoints --+--> mean distance, of the points that both show
"""

from dataclasses import dataclass

import numpy as np

from ..types import SEEN, Pose


@dataclass(frozen=True)
class HandLanding:
    """Hold how far hands are from where they were driven.

    Units:    distance_px: mean over keypoints and frames, px of the canvas, NaN where no point is seen in
              both; found: share 0..1 of the driven points that the detector sees
    """

    distance_px: float
    found: float


def hand_landing(seen: Pose, driven: Pose) -> HandLanding:
    """Measure how far the detected hands are from the driven ones; left and right count together.

    Shapes:   seen and driven of the same frames, on the same canvas
    Units:    see HandLanding
    Source:   ours, for EMO2 section 3.4: hand maps "explicitly describe the hand movement in the generated
              frames"
    """
    seen_FKC, driven_FKC = (
        np.concatenate([pose.left_hand_FKC, pose.right_hand_FKC], axis=1).astype(np.float64)
        for pose in (seen, driven)
    )
    wanted_FK = driven_FKC[..., 2] >= SEEN
    both_FK = wanted_FK & (seen_FKC[..., 2] >= SEEN)
    distances = np.linalg.norm(seen_FKC[..., :2] - driven_FKC[..., :2], axis=-1)[both_FK]
    return HandLanding(
        distance_px=float(distances.mean()) if len(distances) else float("nan"),
        found=float(both_FK.sum() / max(1, wanted_FK.sum())),
    )
