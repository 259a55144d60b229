"""Crops of the reference picture, in the scale that the encoders take."""

import numpy as np
import torch
from torch import Tensor

from ..cyberhost_core import bundled
from ..cyberhost_core.conditions.regions import face_crop, hand_crops
from ..cyberhost_core.perception.face_identity import FaceIdentity
from ..cyberhost_core.types import Pose
from .types import Crops


def crop_regions(picture_YXC: np.ndarray, pose: Pose) -> tuple[Crops, Tensor]:
    """Cut out both hands, describe the face, and give the face's picture beside it.

    Shapes:   picture_YXC (Y, X, 3) uint8, the canvas of the one-frame pose; face (3, 256, 256)
    Units:    0..1, as the encoders take crops; a hand that is not seen is mid-grey
    Raises:   PoseError: the face is not seen
    """
    identity = FaceIdentity(bundled.require(bundled.FACE_NETWORK))
    face_D = torch.from_numpy(identity.embed(picture_YXC, pose.face_FKC)).float()
    hands_HCYX = (hand_crops(picture_YXC, pose).images_NCHW + 1) / 2
    return Crops(hands_HCYX, face_D), (face_crop(picture_YXC, pose).images_NCHW[0] + 1) / 2
