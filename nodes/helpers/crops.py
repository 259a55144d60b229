"""Crops of the reference picture, in the scale that the encoders take."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ...cyberhost_core.conditioners.values import Face
from ...cyberhost_core.controls.regions import face_crop, hand_crops
from ...cyberhost_core.perception.face_identity import FaceIdentity
from ...cyberhost_core.types import Pose
from .types import Crops


def crop_regions(
    picture_YXC: np.ndarray, pose: Pose, *, face_network_path: Path
) -> tuple[Crops, Tensor, str]:
    """Cut out both hands, describe the face, give the face's picture beside it, and say what described it.

    Shapes:   picture_YXC (Y, X, 3) uint8, the canvas of the one-frame pose; face (3, 256, 256)
    Units:    0..1, as the encoders take crops; a hand that is not seen is mid-grey
    Raises:   PoseError: the face is not seen
              CheckpointError, MissingExtraError: see FaceIdentity
    """
    identity = FaceIdentity(face_network_path)
    raw_D = torch.from_numpy(identity.raw_frames(picture_YXC[None], pose.face_FKC)[0])
    hands_HCYX = (hand_crops(picture_YXC, pose).images_NCHW + 1) / 2
    face_CYX = (face_crop(picture_YXC, pose).images_NCHW[0] + 1) / 2
    face = Face(unit_D=normalize(raw_D, dim=0), raw_D=raw_D)
    return Crops(hands_HCYX, face), face_CYX, f"face: {identity.runs_on}"
