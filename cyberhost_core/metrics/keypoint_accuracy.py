"""PCK: what share of the joints of a motion lies close to those of the true motion?

    |generated joint - true joint| <= delta, in hand lengths or in picture heights --> share of joints

A sound has many right motions, so a high PCK is a motion that copies one of them, not a better one: EMO2
(section 4.2) expects its own to be lower than that of bound methods.
"""

import numpy as np

from ..errors import ConfigError
from .hand_joints import hand_length, require_joints

DELTA_HAND_LENGTHS = 0.5  # about 0.1 m of a grown person, whose hand is 0.19 m long


def pck(generated_FHKC: np.ndarray, true_FHKC: np.ndarray, *, delta: float) -> float:
    """Give the share of joints that are within delta of the true ones.

    Joints that the true motion does not show are left out; joints that only the generated one lacks are
    wrong.

    Shapes:   generated_FHKC, true_FHKC (F, 2, 21, 3) joints, NaN for those that are not there
    Units:    delta: the joints' unit, so a fraction of the picture's height when they are in heights;
              0..1, NaN when the true motion shows no joint; a distance of just delta is close enough
    Raises:   ConfigError: motions of different shapes; delta not above 0
    Source:   Yang and Ramanan 2013, "Articulated Human Detection with Flexible Mixtures of Parts"
              (PCK: within alpha * max(h, w) of the person's box); EMO2 table 1
    Departs:  delta is a length, not a share of a box: the box of a hand shrinks when it makes a fist
    """
    generated = require_joints(generated_FHKC, name="The generated motion")
    true = require_joints(true_FHKC, name="The true motion")
    if generated.shape != true.shape:
        raise ConfigError(
            f"A generated motion of shape {generated.shape} was held against a true one of {true.shape}; "
            "cut both to the same frames."
        )
    if not delta > 0:
        raise ConfigError(f"The tolerance delta of PCK was {delta}; give a length above 0.")
    known_FHK = np.isfinite(true).all(axis=-1)
    distance_FHK = np.linalg.norm(generated - true, axis=-1)  # NaN, which is never close, for a missing joint
    return float((distance_FHK[known_FHK] <= delta).mean()) if known_FHK.any() else float("nan")


def pck_of_hand(
    generated_FHKC: np.ndarray, true_FHKC: np.ndarray, *, hand_lengths: float = DELTA_HAND_LENGTHS
) -> float:
    """Give the same share with delta as a fraction of the true hand's length, whatever the joints' unit is.

    Shapes:   as pck
    Units:    hand_lengths: wrist to middle finger tip = 1
    """
    length = hand_length(true_FHKC)
    if not np.isfinite(length):
        return float("nan")
    return pck(generated_FHKC, true_FHKC, delta=hand_lengths * length)
