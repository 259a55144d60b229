"""Arms and legs beside the hands of a track: between a pose's keypoints and the limbs of hand parameters."""

import numpy as np

from ..types import SEEN, Pose
from .parameters import LIMB_POINTS


def limbs_of(pose: Pose) -> np.ndarray:
    """Take the joints of arms and legs but the wrists, which hands have.

    Shapes:   result (F, 10, 3) float32, as HandParameters.limbs_FKC
    Source:   EMO2 section 3.4: "The keypoints maps indicate the 2D positions of joints in the arms and legs",
              "the stage 1 model is trained using only 2D keypoint annotations"
    """
    points_FKC = pose.body_FKC[:, LIMB_POINTS]
    seen_FK1 = points_FKC[..., 2:] >= SEEN
    places_FK2 = points_FKC[..., :2] / np.array((pose.width, pose.height), dtype=np.float32)
    return np.where(seen_FK1, np.concatenate([places_FK2, seen_FK1], axis=-1), 0.0).astype(np.float32)


def limb_points(limbs_FKC: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Place limbs in a picture, (F, 10, 3): px, and score 1 for what is seen inside of it, else all 0."""
    points_FKC = limbs_FKC * np.array((width, height, 1), dtype=np.float32)
    inside_FK = ((points_FKC[..., :2] >= 0) & (points_FKC[..., :2] < (width, height))).all(axis=-1)
    seen_FK1 = (inside_FK & (points_FKC[..., 2] > 0))[..., None]
    return np.where(seen_FK1, np.concatenate([points_FKC[..., :2], seen_FK1], axis=-1), 0.0)
