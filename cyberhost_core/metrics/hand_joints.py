"""What the measures of hand motion share: how joints come, how fast and how far they go, how long a hand is.

Joints are (F, 2, 21, 3): frames, left and right hand, OpenPose's 21 points of a hand, and x, y, depth.
All three axes must have the same unit, or a distance means nothing: for motion in a picture that is the
picture's height (x in heights too, not in widths). A joint that is not there is NaN.

    HandParameters --picture_joints--> joints in picture heights --> DIV, BA, PCK, amplitude
    HandParameters --known_vectors---> (F, 134), NaN for a missing hand --> FGD
"""

import numpy as np

from ..errors import ConfigError
from ..hands.kinematics import hand_keypoints, in_picture
from ..hands.parameters import HAND_NUMBERS, HandParameters
from ..hands.skeleton import SIDES
from ..types import HAND_POINTS

HANDS = len(SIDES)
_MIDDLE_FINGER = (0, 9, 10, 11, 12)  # OpenPose: wrist, then along the middle finger to its tip


def picture_joints(parameters: HandParameters, *, height: int, width: int) -> np.ndarray:
    """Place the joints of both hands in a picture.

    Shapes:   result (F, 2, 21, 3): x to the right, y down, depth towards the viewer; NaN for hands not valid
    Units:    picture heights on all axes; height, width: of the picture, any unit
    """
    rotations_FHJ3, translations_FH3 = parameters.axis_angles()
    hands = [
        in_picture(
            hand_keypoints(rotations_FHJ3[:, hand], side=side),
            translations_FH3[:, hand],
            size_frac=parameters.sizes_frac_FH[:, hand, None, None],
            height=height,
            width=width,
        )
        for hand, side in enumerate(SIDES)
    ]
    joints_FHKC = np.stack(hands, axis=1) / height
    return np.where(parameters.valid_FH[..., None, None], joints_FHKC, np.nan)


def known_vectors(parameters: HandParameters) -> np.ndarray:
    """Give the parameters (F, 134) with NaN where a hand is not valid, instead of a resting hand."""
    by_hand = parameters.vectors_FD.reshape(len(parameters), HANDS, HAND_NUMBERS)
    known = np.where(parameters.valid_FH[..., None], by_hand, np.nan)
    return known.reshape(len(parameters), -1)


def require_joints(joints_FHKC: np.ndarray, *, name: str) -> np.ndarray:
    """Check the shape of a motion and return it in 64 bits.

    Raises:   ConfigError: not (F, 2, 21, 2 or 3), or infinite
    """
    joints = np.asarray(joints_FHKC, dtype=np.float64)
    hands = (HANDS, HAND_POINTS)
    if joints.ndim != 4 or joints.shape[1:3] != hands or joints.shape[3] not in {2, 3} or not len(joints):
        raise ConfigError(
            f"{name} came as an array of shape {joints.shape}, but joints of (frames, 2 hands, 21 points, "
            "2 or 3 coordinates) were expected; turn hand parameters into joints first."
        )
    if np.isinf(joints).any():
        raise ConfigError(
            f"{name} holds infinite coordinates, but finite ones, or NaN where a hand is not there, were "
            "expected; track or generate it again."
        )
    return joints


def mean_speed(joints_FHKC: np.ndarray, *, fps: float) -> np.ndarray:
    """Measure how fast the joints of both hands move from each frame to the next, on average.

    Shapes:   joints_FHKC (F, 2, 21, 3); result (F - 1,), NaN where no joint is there in both frames
    Units:    the joints' unit per second
    """
    joints = require_joints(joints_FHKC, name="The motion")
    return mean_where_known(np.linalg.norm(np.diff(joints, axis=0), axis=-1), axes=(1, 2)) * fps


def hand_length(joints_FHKC: np.ndarray) -> float:
    """Measure how long the hands are: bones from the wrist to the middle finger's tip, however it is bent.

    Shapes:   joints_FHKC (F, 2, 21, 3)
    Units:    the joints' unit; median over frames and hands, NaN when no hand is ever there
    """
    joints = require_joints(joints_FHKC, name="The motion")
    bones = np.linalg.norm(np.diff(joints[:, :, _MIDDLE_FINGER], axis=2), axis=-1).sum(axis=-1)
    known = bones[np.isfinite(bones)]
    return float(np.median(known)) if len(known) else float("nan")


def amplitude(joints_FHKC: np.ndarray) -> np.ndarray:
    """Measure how far each wrist goes from its mean place: the root of the variance of its translation.

    Shapes:   joints_FHKC (F, 2, 21, 3); result (2,) left, right; NaN for a hand that is never there
    Units:    the joints' unit
    Source:   EMO2 section 3.3: "the variance of the hand translation to represent movement amplitude"
    """
    wrists_FHC = require_joints(joints_FHKC, name="The motion")[:, :, 0]
    away_FHC = wrists_FHC - mean_where_known(wrists_FHC, axes=(0,))
    return np.sqrt(mean_where_known((away_FHC**2).sum(axis=-1), axes=(0,)))


def mean_where_known(values: np.ndarray, *, axes: tuple[int, ...]) -> np.ndarray:
    """Average over axes, NaN left out; where nothing is known the mean is NaN."""
    known = np.isfinite(values)
    count = known.sum(axis=axes)
    total = np.where(known, values, 0.0).sum(axis=axes)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
