"""Hand clarity scores as the browser and an IMAGE show them."""

import numpy as np
from torch import Tensor

from ...cyberhost_core.controls.regions import enclosing_boxes
from ...cyberhost_core.errors import PoseError
from ...cyberhost_core.media.curves import draw_curves
from ...cyberhost_core.types import Pose
from .images import image_from_frames

_LEFT, _RIGHT = 0, 1  # columns of the absolute scores


def require_hand(pose: Pose) -> Pose:
    """Pass a pose on when some frame shows a hand: scores of no hand would all be the neutral value.

    Raises:   PoseError: no frame does
    """
    hands = (pose.left_hand_FKC, pose.right_hand_FKC)
    if all(np.isnan(enclosing_boxes(hand_FKC)).all() for hand_FKC in hands):
        raise PoseError(
            f"No hand was found in any of {len(pose)} frames, at least one was expected; use pictures with a "
            "hand in view, or leave the score out and use the slider of CyberHost Conditions."
        )
    return pose


def shown_clarity(scores_F4: Tensor) -> dict[str, list[dict[str, list[float]]]]:
    """Give the node's ui data: both hands' absolute scores, in grey levels."""
    left, right = ([round(value, 2) for value in scores_F4[:, hand].tolist()] for hand in (_LEFT, _RIGHT))
    return {"cyberhost_clarity": [{"left": left, "right": right}]}


def plot(scores_F4: Tensor) -> Tensor:
    """Draw both hands' absolute scores over the frames, as an IMAGE."""
    curves = {"left": scores_F4[:, _LEFT].numpy(), "right": scores_F4[:, _RIGHT].numpy()}
    return image_from_frames(draw_curves(curves, title="hand clarity in grey levels")[None])
