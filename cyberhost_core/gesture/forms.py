"""Ways to write a motion as numbers for the transformer: hands that float, with keypoints, or held by arms.

hands       16 turns and a place per hand: 134 numbers (EMO2 section 4.1)
keypoints   the same, and where the other joints of arms and legs are in the picture: 164 numbers (figure 3)
arms        the place replaced by turns of shoulder and elbow, the wrist turned relative to the forearm: what
            a full-body skeleton asks for; the wrists are found by forward kinematics, 146 numbers

The last exists to measure the paper's claim that hands alone are easier to generate.
"""

from typing import Literal, Protocol

import numpy as np

from ..errors import PoseError
from ..hands import arm_chain, quaternions
from ..hands.parameters import (
    HAND_NUMBERS,
    LIMB_POINTS,
    TURN_NUMBERS,
    VECTOR_NUMBERS,
    HandParameters,
    joined,
    with_unit_quaternions,
)
from ..hands.skeleton import JOINTS, SIDES

FormName = Literal["hands", "keypoints", "arms"]
_ARM_NUMBERS = 9  # two quaternions and a stretch
_LIMB_NUMBERS = len(LIMB_POINTS) * 3  # x, y, seen
_SEEN_FROM = 0.5  # of what a network made of 0 for unseen and 1 for seen


class MotionForm(Protocol):
    """A way to write motions.

    leading_D: bool, which of the numbers move all of a hand, and not a finger alone; hand_D: whose each is, 0
    the left hand's, 1 the right one's, -1 neither's
    """

    numbers: int
    leading_D: np.ndarray
    hand_D: np.ndarray

    def write(self, parameters: HandParameters) -> np.ndarray:
        """Write a motion: (F, numbers) float32; NaN where a joint is unseen and so is nowhere."""
        ...

    def read(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Read what a network made into vectors (F, 134) with unit quaternions."""
        ...

    def limbs(self, vectors_FD: np.ndarray) -> np.ndarray | None:
        """Read the limbs (F, 10, 3) of HandParameters, None where the form knows of none."""
        ...

    def tidy(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Bring what a network made to what write gives: quaternions of length 1, unseen joints nowhere."""
        ...


class HandForm:
    """Hands that float: the vector of HandParameters as it is."""

    numbers = VECTOR_NUMBERS
    leading_D = np.tile(np.arange(HAND_NUMBERS) < 4, 2) | np.tile(np.arange(HAND_NUMBERS) >= TURN_NUMBERS, 2)
    hand_D = np.repeat(np.arange(len(SIDES)), HAND_NUMBERS)

    def write(self, parameters: HandParameters) -> np.ndarray:
        """Write a motion."""
        return parameters.vectors_FD

    def read(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Read what a network made."""
        return with_unit_quaternions(vectors_FD)

    def limbs(self, vectors_FD: np.ndarray) -> np.ndarray | None:  # noqa: ARG002 - hands alone
        """There are none."""
        return None

    def tidy(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Bring quaternions to length 1."""
        return with_unit_quaternions(vectors_FD)


class KeypointForm:
    """Hands that float, and after them the 2D joints of arms and legs: x, y and whether each is seen.

    Source:   EMO2 section 3.3, "Aside from hand movements, predefined keypoints of the human upper body are
              included as weak supervision for video generation"; section 3.4, "the stage 1 model is trained
              using only 2D keypoint annotations"
    Reads:    the 134 numbers of section 4.1 are hands alone, so keypoints come beside them. Wrists are not
              made twice: they are the hands'. Whether a joint is seen is made, too, because a half-body
              picture shows no legs; an unseen one is learnt to be at its mean place
    """

    numbers = VECTOR_NUMBERS + _LIMB_NUMBERS
    leading_D = np.concatenate([HandForm.leading_D, np.zeros(_LIMB_NUMBERS, dtype=bool)])
    hand_D = np.concatenate([HandForm.hand_D, np.full(_LIMB_NUMBERS, -1)])

    def write(self, parameters: HandParameters) -> np.ndarray:
        """Write a motion.

        Raises:   PoseError: only its hands are known
        """
        if parameters.limbs_FKC is None:
            raise PoseError(
                f"The motion from {parameters.source} has hands alone, but arms and legs as keypoints are to "
                "be learned beside them; prepare the data again, or train without '--joints keypoints'."
            )
        return np.concatenate([parameters.vectors_FD, _written_limbs(parameters.limbs_FKC)], axis=1)

    def read(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Read the hands of what a network made."""
        return with_unit_quaternions(vectors_FD[:, :VECTOR_NUMBERS])

    def limbs(self, vectors_FD: np.ndarray) -> np.ndarray | None:
        """Read the limbs of what a network made."""
        return _read_limbs(vectors_FD)

    def tidy(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Bring quaternions to length 1, and what is seen to 0 or 1."""
        return np.concatenate([self.read(vectors_FD), _written_limbs(_read_limbs(vectors_FD))], axis=1)


class ArmForm:
    """Arms that hold the hands, on shoulders that stay where a puppet's are.

    per hand: wrist against the forearm, 15 finger joints, shoulder, elbow (18 quaternions), stretch
    """

    numbers = len(SIDES) * (TURN_NUMBERS + _ARM_NUMBERS)
    leading_D = np.tile(np.arange(TURN_NUMBERS + _ARM_NUMBERS) < 4, 2) | np.tile(
        np.arange(TURN_NUMBERS + _ARM_NUMBERS) >= TURN_NUMBERS, 2
    )
    hand_D = np.repeat(np.arange(len(SIDES)), TURN_NUMBERS + _ARM_NUMBERS)

    def write(self, parameters: HandParameters) -> np.ndarray:
        """Write a motion."""
        matrices_FHJ33, places_FH3 = parameters.matrices(), parameters.translations()
        hands = []
        for hand, side in enumerate(SIDES):
            arm = arm_chain.arm_turns(places_FH3[:, hand], side=side)
            wrist_F33 = arm.forearm_F33.swapaxes(-1, -2) @ matrices_FHJ33[:, hand, 0]
            turns_FJ4 = np.concatenate(
                [
                    quaternions.from_matrices(wrist_F33)[:, None],
                    parameters.quaternions()[:, hand, 1:],
                    quaternions.from_matrices(arm.shoulder_F33)[:, None],
                    quaternions.from_matrices(arm.elbow_F33)[:, None],
                ],
                axis=1,
            )
            turns_FJ4 = quaternions.continuous(turns_FJ4)
            hands.append(
                np.concatenate([turns_FJ4.reshape(len(turns_FJ4), -1), arm.stretch_F[:, None]], axis=1)
            )
        return np.concatenate(hands, axis=1).astype(np.float32)

    def read(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Read what a network made: shoulder, elbow and wrist, one after the other."""
        turns_FHJ4, stretch_FH = self._parts(vectors_FD)
        result_FHJ4, places = turns_FHJ4[:, :, :JOINTS].copy(), []
        for hand, side in enumerate(SIDES):
            shoulder_F33, elbow_F33, wrist_F33 = (
                quaternions.to_matrices(turns_FHJ4[:, hand, joint]) for joint in (JOINTS, JOINTS + 1, 0)
            )
            place_F3, forearm_F33 = arm_chain.wrist_place(
                shoulder_F33, elbow_F33, stretch_FH[:, hand], side=side
            )
            result_FHJ4[:, hand, 0] = quaternions.from_matrices(forearm_F33 @ wrist_F33)
            places.append(place_F3)
        return joined(result_FHJ4, np.stack(places, axis=1))

    def limbs(self, vectors_FD: np.ndarray) -> np.ndarray | None:  # noqa: ARG002 - on a puppet's shoulders
        """There are none in the picture: these arms hang on shoulders that stay where a puppet's are."""
        return None

    def tidy(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Bring quaternions to length 1."""
        turns_FHJ4, stretch_FH = self._parts(vectors_FD)
        both = np.concatenate([turns_FHJ4.reshape(*stretch_FH.shape, -1), stretch_FH[..., None]], axis=-1)
        return both.reshape(len(both), -1).astype(np.float32)

    def _parts(self, vectors_FD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        by_hand = np.asarray(vectors_FD, dtype=np.float64).reshape(len(vectors_FD), len(SIDES), -1)
        turns_FHJ4 = by_hand[..., :-1].reshape(*by_hand.shape[:2], JOINTS + 2, 4)
        return quaternions.normalised(turns_FHJ4), by_hand[..., -1]


def _read_limbs(vectors_FD: np.ndarray) -> np.ndarray:
    made_FKC = vectors_FD[:, VECTOR_NUMBERS:].reshape(len(vectors_FD), len(LIMB_POINTS), 3)
    seen_FK1 = made_FKC[..., 2:] >= _SEEN_FROM
    seen_FKC = np.concatenate([made_FKC[..., :2], np.ones_like(made_FKC[..., 2:])], axis=-1)
    return np.where(seen_FK1, seen_FKC, 0.0).astype(np.float32)


def _written_limbs(limbs_FKC: np.ndarray) -> np.ndarray:
    """Lay limbs out in a row; an unseen joint is nowhere, and not in the picture's corner."""
    nowhere = np.array((np.nan, np.nan, 0), dtype=np.float32)
    return np.where(limbs_FKC[..., 2:] > 0, limbs_FKC, nowhere).reshape(len(limbs_FKC), -1)


FORMS: dict[FormName, MotionForm] = {"hands": HandForm(), "keypoints": KeypointForm(), "arms": ArmForm()}
