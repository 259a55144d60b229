"""Hand parameters as keypoints, so that what was made as parameters drives every consumer of keypoints."""

from dataclasses import replace

import numpy as np

from ..types import BODY_POINTS, FACE_POINTS, Pose
from .drawing.surface import Surfaces
from .kinematics import in_picture, joint_frames
from .limbs import limb_points
from .parameters import LIMB_POINTS, HandParameters
from .skeleton import OPENPOSE, SIDES, rest_offsets

_WRISTS = {"left": 7, "right": 4}  # OpenPose


def hand_points(
    parameters: HandParameters, *, height: int, width: int, surfaces: Surfaces | None = None
) -> np.ndarray:
    """Place both hands' keypoints in the picture.

    Shapes:   result (F, 2, 21, 3): x, y, depth, OpenPose order; surfaces: whose bones to take, None for ours
    Units:    px, depth grows towards the viewer; of hands that are not valid the numbers mean nothing
    """
    matrices_FHJ33, hands = parameters.matrices(), []
    sizes_FH = np.broadcast_to(parameters.sizes_frac_FH, parameters.valid_FH.shape)
    for hand, side in enumerate(SIDES):
        offsets = rest_offsets(side) if surfaces is None else surfaces[side].offsets_P3
        _, placed_FP3 = joint_frames(matrices_FHJ33[:, hand], offsets)
        hands.append(
            in_picture(
                placed_FP3[:, OPENPOSE],
                parameters.translations()[:, hand],
                size_frac=sizes_FH[:, hand, None, None],
                height=height,
                width=width,
            )
        )
    return np.stack(hands, axis=1)


def pose_from_parameters(
    parameters: HandParameters, *, height: int, width: int, surfaces: Surfaces | None = None
) -> Pose:
    """Give the keypoints of both hands, and of the body the wrists that they hang on and the limbs, if known.

    Shapes:   result F frames on a canvas of height x width; surfaces as in hand_points
    Units:    px; score 1 for points of valid hands inside the picture, else 0
    """
    points = hand_points(parameters, height=height, width=width, surfaces=surfaces)[..., :2]
    inside = ((points >= 0) & (points < (width, height))).all(axis=-1) & parameters.valid_FH[..., None]
    scored = np.concatenate([points * inside[..., None], inside[..., None]], axis=-1).astype(np.float32)
    frames = len(parameters)
    body_FKC = np.zeros((frames, BODY_POINTS, 3), dtype=np.float32)
    for hand, side in enumerate(SIDES):
        body_FKC[:, _WRISTS[side]] = scored[:, hand, 0]
    if parameters.limbs_FKC is not None:
        body_FKC[:, LIMB_POINTS] = limb_points(parameters.limbs_FKC, height=height, width=width)
    face_FKC = np.zeros((frames, FACE_POINTS, 3), dtype=np.float32)
    return Pose(body_FKC, face_FKC, scored[:, 0], scored[:, 1], height=height, width=width)


def with_hands_filled(pose: Pose, parameters: HandParameters) -> Pose:
    """Add the keypoints of hands that a pose lacks and the parameters have."""
    made = pose_from_parameters(parameters, height=pose.height, width=pose.width)
    parts = {}
    for name in ("left_hand_FKC", "right_hand_FKC"):
        given = getattr(pose, name)
        lacking_F = ~(given[..., 2] > 0).any(axis=1)
        parts[name] = np.where(lacking_F[:, None, None], getattr(made, name), given)
    return replace(pose, **parts)
