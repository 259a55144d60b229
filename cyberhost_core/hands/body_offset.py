"""Where the body is, for each hand: so that stage 1 need not guess a speaker's posture (EMO2 section 3.3).

per hand, left first: known (1 or 0), x and y of its shoulder, turn of the line of the shoulders
"""

import numpy as np

from ..types import SEEN, THORAX, Pose
from .parameters import OFFSET_NUMBERS

_RIGHT_SHOULDER, _LEFT_SHOULDER = 2, 5  # OpenPose


def body_offset(pose: Pose) -> np.ndarray:
    """Measure the relative position and rotation of the body.

    Shapes:   result (F, 8) float32: left (known, x, y, turn), right (known, x, y, turn)
    Units:    known 1 or 0, all four are 0 where it is 0; x, y as fractions of the picture's width and height;
              turn in radians from the right shoulder to the left one, 0 level, positive when the left one is
              lower in the picture; 0 where only one shoulder is known
    Source:   EMO2 section 3.3: "An offset embedding that describes the relative position and rotation of the
              body is also added to disentangle hand motion from root body posture differences"
    Reads:    the paper gives no numbers for it; a picture tells of the body what the shoulders tell: their
              places also hold its size and its turn to the side. A shoulder that is not seen lies as far
              beyond the neck as the other, which is where OpenPose puts the neck
    """
    size = np.array((pose.width, pose.height), dtype=np.float32)
    right_FC, left_FC = completed_shoulders(pose.body_FKC)
    way = left_FC[:, :2] - right_FC[:, :2]
    both_F = (left_FC[:, 2] >= SEEN) & (right_FC[:, 2] >= SEEN)
    turn_F = np.where(both_F, np.arctan2(way[:, 1], way[:, 0]), 0.0)
    result = np.zeros((len(pose), OFFSET_NUMBERS), dtype=np.float32)
    for hand, shoulder_FC in enumerate((left_FC, right_FC)):
        known_F = shoulder_FC[:, 2] >= SEEN
        four = np.column_stack([np.ones(len(pose)), shoulder_FC[:, :2] / size, turn_F])
        result[:, 4 * hand : 4 * hand + 4] = np.where(known_F[:, None], four, 0.0)
    return result


def completed_shoulders(body_FKC: np.ndarray) -> list[np.ndarray]:
    """Give right and left shoulder (F, 3), one that is not seen reflected at the neck where that is."""
    shoulders = [body_FKC[:, _RIGHT_SHOULDER], body_FKC[:, _LEFT_SHOULDER]]
    neck_FC = body_FKC[:, THORAX]
    completed = []
    for own_FC, other_FC in (shoulders, shoulders[::-1]):
        reflected_FC = np.concatenate(
            [2 * neck_FC[:, :2] - other_FC[:, :2], np.minimum(neck_FC, other_FC)[:, 2:]], axis=1
        )
        completed.append(np.where(own_FC[:, 2:] >= SEEN, own_FC, reflected_FC))
    return completed
