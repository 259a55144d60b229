"""Movement: does the body stay inside the box that was asked for, and use more room when it is given more?

box of the movement map -------------------------------+--> share of frames inside
frames --pose detector--> thorax point, frame by frame +--> range --(several boxes)--> Spearman
"""

from dataclasses import dataclass

import numpy as np

from ..types import SEEN, Pose

TOLERANCE_FRAC = 1.0 / 128.0  # of the picture's height: about what a detector is off on a true picture
_MIDDLE_PERCENTILES = (5, 95)  # one lost point must not count as a leap


@dataclass(frozen=True)
class Movement:
    """Hold where the thorax went in one clip.

    Units:    inside_share 0..1, higher is better; range_px: diagonal of the box that holds the middle 90 % of
              its places, on each axis, in px of the pose's canvas; 0 for a thorax that is never seen
    """

    inside_share: float
    range_px: float


def movement(pose: Pose, *, box: np.ndarray) -> Movement:
    """Follow the thorax of one clip and hold it against its movement map.

    A frame whose thorax is not seen counts as outside.

    Shapes:   pose of F frames; box (4,) x0, y0, x1, y1
    Units:    box in px of the pose's canvas; a thorax up to 1/128 of the picture's height beyond it is inside
    Source:   CyberHost (ICLR 2025) section 3.3: the map is "a control signal for the movement amplitude of
              the body root"
    """
    thorax_FC = pose.thorax_FC()
    seen_F = thorax_FC[:, 2] >= SEEN
    places_F2 = thorax_FC[:, :2].astype(np.float64)
    slack = TOLERANCE_FRAC * pose.height
    inside_F = ((places_F2 >= box[:2] - slack) & (places_F2 <= box[2:] + slack)).all(axis=1)
    return Movement(
        inside_share=float((inside_F & seen_F).mean()),
        range_px=_range(places_F2[seen_F]) if seen_F.any() else 0.0,
    )


def _range(places_F2: np.ndarray) -> float:
    low, high = np.percentile(places_F2, _MIDDLE_PERCENTILES, axis=0)
    return float(np.linalg.norm(high - low))
