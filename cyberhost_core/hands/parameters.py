"""Hand parameters: what stage 1 of EMO2 makes from sound and stage 2 draws, 134 numbers per frame.

    per hand  16 joints x quaternion (w, x, y, z)   = 64      two hands, left first: 2 x (64 + 3) = 134
              translation x, y, depth               =  3

    axis-angle (48 + 3 per hand) --from_axis_angles--> HandParameters --axis_angles--> axis-angle

A hand that a frame does not show is marked as not valid and holds a resting one: no turns, at (0, 0, 0).
Beside the 134 numbers a driver may know where the other joints of arms and legs are in the picture: limbs.
"""

from dataclasses import dataclass, field

import numpy as np

from ..errors import PoseError
from . import quaternions
from .skeleton import JOINTS, SIDES

TURN_NUMBERS = JOINTS * 4
HAND_NUMBERS = TURN_NUMBERS + 3
VECTOR_NUMBERS = len(SIDES) * HAND_NUMBERS
OFFSET_NUMBERS = 8  # see body_offset
LIMB_POINTS = (2, 3, 5, 6, 8, 9, 10, 11, 12, 13)  # OpenPose: arms and legs, but the wrists, which hands have
STANDARD_SIZE_FRAC = 28.0 / 128.0  # wrist to middle tip, of the height of a half-body picture
DEPTH_FRAC = 0.2  # of the wrists, before the body, where keypoints do not tell it
LENGTH_TOLERANCE = 0.01  # a quaternion this far off length 1 was rounded; further off, it is something else
# A wrist whose fingers point up and whose palm looks to the midline: turns that gestures come near to all lie
# within half a turn of it, so that the first sign of a clip does not depend on where the clip starts.
_WRIST_PIVOTS = {"left": (0.0, -(0.5**0.5), -(0.5**0.5), 0.0), "right": (0.0, -(0.5**0.5), 0.5**0.5, 0.0)}
_ROUNDING = 1e-6  # float32's own: lengths this near to 1 are left as they are


def _standard_sizes() -> np.ndarray:
    return np.full((1, len(SIDES)), STANDARD_SIZE_FRAC, dtype=np.float32)


def _unknown_offset() -> np.ndarray:
    return np.zeros((1, OFFSET_NUMBERS), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class HandParameters:
    """Hold both hands' parameters over F frames: quaternions of unit length with continuous signs.

    What comes in is checked and brought to that form: lengths within LENGTH_TOLERANCE of 1 become 1, signs
    are chosen, hands that are not valid become resting ones.

    Shapes:   vectors_FD (F, 134); valid_FH (F, 2) bool; sizes_frac_FH (F or 1, 2);
              offset_FD (F or 1, 8); limbs_FKC (F, 10, 3), LIMB_POINTS in order, or None; H is left, right,
              the person's own
    Units:    joint 0 (the wrist) turns in the picture's axes: x right, y up, z to the viewer; the others in
              their parent's. translation: the wrist's x and y as fractions of the picture's width and height
              (y down), depth as a fraction of its height, growing towards the viewer. sizes_frac_FH: hand
              length, wrist to middle tip, as a fraction of the height. offset_FD: see body_offset, zeros
              where the body is not known. limbs_FKC: x and y as fractions of the picture's width and height,
              then 1 where the joint is seen; all three 0 where it is not. None: the driver knows hands alone
    Raises:   PoseError: another width, values that are no numbers, quaternions of another length, masks,
              sizes, offsets or limbs of another shape, a rate that is not positive
    Source:   EMO2 section 4.1: "48 joint rotation values for each hand in axis-angle representation and 3
              translation values ... converted to 64 quaternion parameters, yielding a total of 134"
    Reads:    order within the vector, axes and units of the translation are ours, the paper gives none
    """

    vectors_FD: np.ndarray
    valid_FH: np.ndarray
    fps: float
    source: str
    sizes_frac_FH: np.ndarray = field(default_factory=_standard_sizes)
    offset_FD: np.ndarray = field(default_factory=_unknown_offset)
    limbs_FKC: np.ndarray | None = None

    def __post_init__(self) -> None:
        valid_FH = np.asarray(self.valid_FH, dtype=bool)
        self._check_shapes(valid_FH)
        self._check_numbers(valid_FH)
        for name, value in (
            ("vectors_FD", _canonical(np.asarray(self.vectors_FD), valid_FH)),
            ("valid_FH", valid_FH),
            ("sizes_frac_FH", np.asarray(self.sizes_frac_FH, dtype=np.float32)),
            ("offset_FD", np.asarray(self.offset_FD, dtype=np.float32)),
            ("limbs_FKC", None if self.limbs_FKC is None else np.asarray(self.limbs_FKC, dtype=np.float32)),
        ):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.vectors_FD)

    def __getitem__(self, frames: slice | np.ndarray) -> "HandParameters":
        """Cut out frames; takes slices or index arrays, so that F stays an axis."""
        lasting = [part if len(part) == 1 else part[frames] for part in (self.sizes_frac_FH, self.offset_FD)]
        return HandParameters(
            self.vectors_FD[frames],
            self.valid_FH[frames],
            fps=self.fps,
            source=self.source,
            sizes_frac_FH=lasting[0],
            offset_FD=lasting[1],
            limbs_FKC=None if self.limbs_FKC is None else self.limbs_FKC[frames],
        )

    @staticmethod
    def from_axis_angles(
        rotations_FHJ3: np.ndarray,
        translations_FH3: np.ndarray,
        *,
        fps: float,
        source: str,
        valid_FH: np.ndarray | None = None,
        sizes_frac_FH: np.ndarray | None = None,
        offset_FD: np.ndarray | None = None,
    ) -> "HandParameters":
        """Take over axis-angle vectors; without a mask every hand counts as valid.

        Shapes:   rotations_FHJ3 (F, 2, 16, 3); translations_FH3 (F, 2, 3)
        Units:    radians; see HandParameters
        """
        turns_FHJ4 = quaternions.from_axis_angles(np.asarray(rotations_FHJ3, dtype=np.float64))
        return HandParameters(
            joined(turns_FHJ4, translations_FH3),
            np.ones(turns_FHJ4.shape[:2], dtype=bool) if valid_FH is None else valid_FH,
            fps=fps,
            source=source,
            sizes_frac_FH=_standard_sizes() if sizes_frac_FH is None else sizes_frac_FH,
            offset_FD=_unknown_offset() if offset_FD is None else offset_FD,
        )

    def quaternions(self) -> np.ndarray:
        """Give the turns of all joints, (F, 2, 16, 4)."""
        by_hand = self.vectors_FD.reshape(len(self), len(SIDES), HAND_NUMBERS)
        return by_hand[..., :TURN_NUMBERS].reshape(len(self), len(SIDES), JOINTS, 4)

    def translations(self) -> np.ndarray:
        """Give the places of the wrists, (F, 2, 3)."""
        return self.vectors_FD.reshape(len(self), len(SIDES), HAND_NUMBERS)[..., TURN_NUMBERS:]

    def axis_angles(self) -> tuple[np.ndarray, np.ndarray]:
        """Give rotations (F, 2, 16, 3), continuous over time, and translations (F, 2, 3).

        Units:    radians, 0..2 pi: past half a turn an angle goes on growing instead of jumping
        """
        return quaternions.to_axis_angles(self.quaternions()), self.translations()

    def matrices(self) -> np.ndarray:
        """Give the turns of all joints as matrices, (F, 2, 16, 3, 3) float64."""
        return quaternions.to_matrices(self.quaternions().astype(np.float64))

    def require_hands(self) -> None:
        """Check that there is a hand at all.

        Raises:   PoseError: no frame shows one
        """
        if not self.valid_FH.any():
            raise PoseError(
                f"The hand parameters from {self.source} show no hand in any of their {len(self)} frames, "
                "but at least one was expected; take a video that shows the hands, or another driver."
            )

    def _check_shapes(self, valid_FH: np.ndarray) -> None:
        shape = np.shape(self.vectors_FD)
        if len(shape) != 2 or shape[1] != VECTOR_NUMBERS or not shape[0]:
            raise PoseError(
                f"The hand parameters from {self.source} have the shape {list(shape)}, but at least one "
                f"frame of {VECTOR_NUMBERS} numbers was expected: 16 quaternions and a translation per hand; "
                "convert axis-angles first."
            )
        frames = shape[0]
        if valid_FH.shape != (frames, len(SIDES)):
            raise PoseError(
                f"The mask of the hand parameters from {self.source} has the shape {list(valid_FH.shape)}, "
                f"but {[frames, len(SIDES)]} was expected; give one value per frame and hand."
            )
        for name, part, numbers in (
            ("hand sizes", self.sizes_frac_FH, len(SIDES)),
            ("body offsets", self.offset_FD, OFFSET_NUMBERS),
        ):
            if np.shape(part) not in ((frames, numbers), (1, numbers)):
                raise PoseError(
                    f"The {name} of the hand parameters from {self.source} have the shape "
                    f"{list(np.shape(part))}, but {[frames, numbers]} or {[1, numbers]} was expected; "
                    "give them for every frame, or once for all."
                )
        limbs = (frames, len(LIMB_POINTS), 3)
        if self.limbs_FKC is not None and np.shape(self.limbs_FKC) != limbs:
            raise PoseError(
                f"The limbs of the hand parameters from {self.source} have the shape "
                f"{list(np.shape(self.limbs_FKC))}, but {list(limbs)} was expected; give x, y and whether it "
                "is seen for every frame and joint, or leave limbs out."
            )

    def _check_numbers(self, valid_FH: np.ndarray) -> None:
        by_hand = np.asarray(self.vectors_FD).reshape(len(valid_FH), len(SIDES), HAND_NUMBERS)
        limbs = np.zeros(0) if self.limbs_FKC is None else np.asarray(self.limbs_FKC)
        numbers = (by_hand[valid_FH], np.asarray(self.offset_FD), np.asarray(self.sizes_frac_FH), limbs)
        if not all(np.isfinite(part).all() for part in numbers):
            raise PoseError(
                f"The hand parameters from {self.source} hold values that are not numbers (NaN or infinity), "
                "but turns and places were expected; mark hands that are not seen as not valid, or make them "
                "again."
            )
        lengths = np.linalg.norm(by_hand[valid_FH][:, :TURN_NUMBERS].reshape(-1, 4), axis=-1)
        worst = lengths[np.abs(lengths - 1).argmax()] if len(lengths) else 1.0
        if abs(worst - 1) > LENGTH_TOLERANCE:
            raise PoseError(
                f"The hand parameters from {self.source} hold a quaternion of length {worst:.3g}, but 1 was "
                f"expected (within {LENGTH_TOLERANCE}); divide each quaternion by its length, and check that "
                "the order is w, x, y, z."
            )
        smallest = float(np.min(self.sizes_frac_FH))
        if not smallest > 0:
            raise PoseError(
                f"The hand parameters from {self.source} have a hand of size {smallest:.3g}, but a fraction "
                "of the picture's height above 0 was expected; 0.22 suits a half-body picture."
            )
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise PoseError(
                f"The hand parameters from {self.source} have a rate of {self.fps} frames per second, but "
                "more than 0 was expected; state the rate that they were made for."
            )


def joined(turns_FHJ4: np.ndarray, translations_FH3: np.ndarray) -> np.ndarray:
    """Write quaternions (F, 2, 16, 4) and translations (F, 2, 3) as vectors (F, 134) float32."""
    frames = len(turns_FHJ4)
    turns = np.asarray(turns_FHJ4).reshape(frames, len(SIDES), TURN_NUMBERS)
    both = np.concatenate([turns, np.asarray(translations_FH3)], axis=-1)
    return both.reshape(frames, VECTOR_NUMBERS).astype(np.float32)


def with_unit_quaternions(vectors_FD: np.ndarray) -> np.ndarray:
    """Bring whatever a network made (F, 134) onto unit quaternions; translations stay.

    HandParameters itself refuses lengths far from 1, because there they mean damage.
    """
    by_hand = np.asarray(vectors_FD).reshape(len(vectors_FD), len(SIDES), HAND_NUMBERS)
    turns_FHJ4 = by_hand[..., :TURN_NUMBERS].reshape(len(by_hand), len(SIDES), JOINTS, 4)
    return joined(quaternions.normalised(turns_FHJ4), by_hand[..., TURN_NUMBERS:])


def resting_vectors(frames: int) -> np.ndarray:
    """Give vectors (F, 134) without any turn, at (0, 0, 0)."""
    turns = np.broadcast_to(quaternions.IDENTITY, (frames, len(SIDES), JOINTS, 4))
    return joined(turns, np.zeros((frames, len(SIDES), 3)))


def _canonical(vectors_FD: np.ndarray, valid_FH: np.ndarray) -> np.ndarray:
    """Choose lengths and signs of the valid hands; the others rest."""
    frames = len(vectors_FD)
    result = resting_vectors(frames).reshape(frames, len(SIDES), HAND_NUMBERS)
    given = vectors_FD.reshape(frames, len(SIDES), HAND_NUMBERS)
    for hand, side in enumerate(SIDES):
        pivot = np.tile(quaternions.IDENTITY, (JOINTS, 1))
        pivot[0] = _WRIST_PIVOTS[side]
        shown = valid_FH[:, hand]
        if shown.any():
            turns = given[shown, hand, :TURN_NUMBERS].reshape(-1, JOINTS, 4)
            length = np.linalg.norm(turns.astype(np.float64), axis=-1, keepdims=True)
            turns = np.where(np.abs(length - 1) > _ROUNDING, turns / length, turns)
            result[shown, hand, :TURN_NUMBERS] = quaternions.continuous(turns, pivot=pivot).reshape(
                -1, TURN_NUMBERS
            )
            result[shown, hand, TURN_NUMBERS:] = given[shown, hand, TURN_NUMBERS:]
    return result.reshape(frames, VECTOR_NUMBERS)
