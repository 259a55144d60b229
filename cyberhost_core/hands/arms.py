"""Arms for the hands of a track on a portrait: hands move, keypoint maps need the limbs.

hand parameters with limbs ------------------------------------------------------> Pose
hand parameters: where the wrists are --------+
portrait: shoulders, how long its arms look --+--two-bone inverse kinematics--> elbows --> Pose
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..errors import PoseError
from ..types import SEEN, Pose
from .body_offset import completed_shoulders
from .parameters import LIMB_POINTS, HandParameters
from .poses import pose_from_parameters

_ARMS = ((5, 6, 7), (2, 3, 4))  # OpenPose: shoulder, elbow, wrist of the left arm, of the right one
_WRISTS = [wrist for *_, wrist in _ARMS]
_OUTWARD = (1.0, -1.0)  # the person's left is on the picture's right
UPPER_ARM, FOREARM = 0.186 / 0.259, 0.146 / 0.259  # of the width between the shoulders
_POLE = np.array((0.55, 0.62, -0.55))  # elbows point outward, down and back
_NEAR_PX = 1e-6


def with_arms(parameters: HandParameters, portrait: Pose) -> Pose:
    """Give a portrait the hands of a track, and arms that reach to them.

    Arms and legs are those that came with the hands, where their driver made them (limbs). Where it made
    hands alone, the arms reach from the portrait's shoulders to the wrists, and its legs stay; a wrist out of
    reach stretches its arm. Head and trunk stay as the portrait shows them, its face is left out. Where a
    frame has no hand, its wrist is unseen, and an elbow that was to be found from it, too.

    Shapes:   parameters of F frames; portrait of one (of more, the first counts); result F frames, both hands
              included, on the portrait's canvas
    Units:    px; score 1 for what is inside the picture, else 0
    Raises:   PoseError: arms are to be found, and the portrait shows no shoulders
    Source:   EMO2 figure 3: "The MANO maps and keypoint maps generated in Stage 1"; section 3.4: "The
              keypoints maps indicate the 2D positions of joints in the arms and legs";
              "the generated keypoints may not precisely define the entire body", they guide its trends.
              Arm lengths where the portrait hides them: Winter, Biomechanics (2009), figure 4.1
    Reads:    the paper does not say where the joints come from when only hands were generated (134 numbers,
              section 4.1). Bones look at most as long as they are: the longest look counts, of both arms and
              of the shoulders' width. The elbow is found in depth, too, because in the picture's plane alone
              it would leap from one side of the arm to the other
    """
    pose = pose_from_parameters(parameters, height=portrait.height, width=portrait.width)
    if parameters.limbs_FKC is None:
        body_FKC = _reaching(parameters, portrait)
    else:
        body_FKC = np.repeat(np.nan_to_num(portrait.body_FKC[:1]), len(parameters), axis=0)
        body_FKC[:, LIMB_POINTS] = pose.body_FKC[:, LIMB_POINTS]
    body_FKC[:, _WRISTS] = pose.body_FKC[:, _WRISTS]
    inside_FK = ((body_FKC[..., :2] >= 0) & (body_FKC[..., :2] < (portrait.width, portrait.height))).all(-1)
    kept_FK1 = (inside_FK & (body_FKC[..., 2] >= SEEN))[..., None]
    scored_FKC = np.concatenate([body_FKC[..., :2] * kept_FK1, kept_FK1], axis=-1)
    return replace(pose, body_FKC=scored_FKC.astype(np.float32))


def _reaching(parameters: HandParameters, portrait: Pose) -> np.ndarray:
    """Let a portrait's arms reach to the hands: its body (F, 18, 3), elbows found, wrists still its own."""
    body_KC = _checked_body(portrait)
    body_FKC = np.repeat(body_KC[None], len(parameters), axis=0)
    wrists_FH3 = parameters.translations() * (portrait.width, portrait.height, portrait.height)
    upper_px, fore_px = _arm_lengths(body_KC)
    for hand, (shoulder, elbow, _) in enumerate(_ARMS):
        start_F3 = np.zeros((len(parameters), 3))
        start_F3[:, :2] = body_KC[shoulder, :2]
        places_F3 = elbows(
            start_F3, wrists_FH3[:, hand], upper=upper_px, forearm=fore_px, outward=_OUTWARD[hand]
        )
        body_FKC[:, elbow, :2] = places_F3[:, :2]
        body_FKC[:, elbow, 2] = parameters.valid_FH[:, hand]
    return body_FKC


def elbows(
    shoulder_F3: np.ndarray, wrist_F3: np.ndarray, *, upper: float, forearm: float, outward: float
) -> np.ndarray:
    """Bend an arm of two bones so that it reaches from shoulder to wrist, the elbow outward, down and back.

    Out of reach, both bones stretch by the same factor; nearer than the longer bone allows, that one shrinks.

    Shapes:   result (F, 3)
    Units:    any one length; x right, y down, depth to the viewer; outward: 1 where outward is to the right,
              -1 where it is to the left
    """
    way = wrist_F3 - shoulder_F3
    distance = np.linalg.norm(way, axis=-1, keepdims=True)
    direction = way / np.maximum(distance, _NEAR_PX)
    stretch = np.maximum(distance / (upper + forearm), 1.0)
    upper_F1 = np.minimum(upper, distance + forearm) * stretch
    forearm_F1 = np.minimum(forearm, distance + upper) * stretch
    along = (upper_F1**2 - forearm_F1**2 + distance**2) / (2 * np.maximum(distance, _NEAR_PX))
    aside = np.sqrt(np.maximum(upper_F1**2 - along**2, 0.0))
    pole = _POLE * (outward, 1.0, 1.0)
    pole = pole - (pole * direction).sum(axis=-1, keepdims=True) * direction
    pole = pole / np.maximum(np.linalg.norm(pole, axis=-1, keepdims=True), _NEAR_PX)
    return shoulder_F3 + along * direction + aside * pole


def _checked_body(portrait: Pose) -> np.ndarray:
    """Take the portrait's body (18, 3), both shoulders known."""
    body_KC = np.nan_to_num(portrait.body_FKC[0]).astype(np.float64)
    right_FC, left_FC = completed_shoulders(body_KC[None])
    for side, (shoulder, *_), own_C in zip(("left", "right"), _ARMS, (left_FC[0], right_FC[0]), strict=True):
        if own_C[2] < SEEN:
            raise PoseError(
                f"The portrait does not show the person's {side} shoulder (score {own_C[2]:.2f}, at least "
                f"{SEEN} was expected), so that no arm can reach to the hands; take a portrait that shows "
                "both shoulders."
            )
        body_KC[shoulder] = own_C
    return body_KC


def _arm_lengths(body_KC: np.ndarray) -> tuple[float, float]:
    """Measure upper arm and forearm in px: the longest that they look, or that the shoulders' width tells."""
    shoulders_px = float(np.linalg.norm(body_KC[5, :2] - body_KC[2, :2]))
    lengths = [UPPER_ARM * shoulders_px, FOREARM * shoulders_px]
    for joints in _ARMS:
        for bone, (start, end) in enumerate(pairwise(joints)):
            if body_KC[start, 2] >= SEEN and body_KC[end, 2] >= SEEN:
                looks_px = float(np.linalg.norm(body_KC[end, :2] - body_KC[start, :2]))
                lengths[bone] = max(lengths[bone], looks_px)
    return max(lengths[0], _NEAR_PX), max(lengths[1], _NEAR_PX)
