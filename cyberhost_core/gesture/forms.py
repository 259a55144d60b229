"""Two ways to write a motion as numbers for the transformer: hands that float, or arms that hold them.

hands   16 turns and a place per hand: 134 numbers (EMO2)
arms    the place replaced by turns of shoulder and elbow, the wrist turned relative to the forearm: what a
        full-body skeleton asks for; the wrists are found by forward kinematics, 146 numbers

The second exists to measure the paper's claim that hands alone are easier to generate.
"""

from typing import Literal, Protocol

import numpy as np

from ..hands import arm_chain, quaternions
from ..hands.parameters import (
    HAND_NUMBERS,
    TURN_NUMBERS,
    VECTOR_NUMBERS,
    HandParameters,
    joined,
    with_unit_quaternions,
)
from ..hands.skeleton import JOINTS, SIDES

FormName = Literal["hands", "arms"]
_ARM_NUMBERS = 9  # two quaternions and a stretch


class MotionForm(Protocol):
    """A way to write motions."""

    numbers: int
    leading_D: np.ndarray  # bool: which of the numbers move all of a hand, and not a finger alone

    def write(self, parameters: HandParameters) -> np.ndarray:
        """Write a motion: (F, numbers) float32."""
        ...

    def read(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Read what a network made into vectors (F, 134) with unit quaternions."""
        ...

    def tidy(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Bring the quaternions of what a network made to length 1, form and signs kept."""
        ...


class HandForm:
    """Hands that float: the vector of HandParameters as it is."""

    numbers = VECTOR_NUMBERS
    leading_D = np.tile(np.arange(HAND_NUMBERS) < 4, 2) | np.tile(np.arange(HAND_NUMBERS) >= TURN_NUMBERS, 2)

    def write(self, parameters: HandParameters) -> np.ndarray:
        """Write a motion."""
        return parameters.vectors_FD

    def read(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Read what a network made."""
        return with_unit_quaternions(vectors_FD)

    def tidy(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Bring quaternions to length 1."""
        return with_unit_quaternions(vectors_FD)


class ArmForm:
    """Arms that hold the hands, on shoulders that stay where a puppet's are.

    per hand: wrist against the forearm, 15 finger joints, shoulder, elbow (18 quaternions), stretch
    """

    numbers = len(SIDES) * (TURN_NUMBERS + _ARM_NUMBERS)
    leading_D = np.tile(np.arange(TURN_NUMBERS + _ARM_NUMBERS) < 4, 2) | np.tile(
        np.arange(TURN_NUMBERS + _ARM_NUMBERS) >= TURN_NUMBERS, 2
    )

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

    def tidy(self, vectors_FD: np.ndarray) -> np.ndarray:
        """Bring quaternions to length 1."""
        turns_FHJ4, stretch_FH = self._parts(vectors_FD)
        both = np.concatenate([turns_FHJ4.reshape(*stretch_FH.shape, -1), stretch_FH[..., None]], axis=-1)
        return both.reshape(len(both), -1).astype(np.float32)

    def _parts(self, vectors_FD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        by_hand = np.asarray(vectors_FD, dtype=np.float64).reshape(len(vectors_FD), len(SIDES), -1)
        turns_FHJ4 = by_hand[..., :-1].reshape(*by_hand.shape[:2], JOINTS + 2, 4)
        return quaternions.normalised(turns_FHJ4), by_hand[..., -1]


FORMS: dict[FormName, MotionForm] = {"hands": HandForm(), "arms": ArmForm()}
