"""What the rest of the package asks of an outside network; anything with these methods fits.

Callers name these types, never a network: another detector, or the exact answers of a synthetic world,
drops in.
"""

from typing import Protocol, runtime_checkable

import numpy as np

from ..types import Pose


@runtime_checkable
class FindsPose(Protocol):
    """Finds one person's keypoints in pictures (F, Y, X, 3) uint8 RGB, or in one picture."""

    def detect(self, images_FYXC: np.ndarray) -> Pose: ...


@runtime_checkable
class FindsPoseInBoxes(FindsPose, Protocol):
    """The same of whoever is in a box (4,) or (F, 4), px, which is widened by padding; says what runs it."""

    @property
    def runs_on(self) -> str: ...

    def detect(
        self, images_FYXC: np.ndarray, *, box: np.ndarray | None = None, padding: float = ...
    ) -> Pose: ...


@runtime_checkable
class DescribesFace(Protocol):
    """Turns the face of a picture (Y, X, 3), with its points (1, 68, 3), into a vector (D,) of length 1."""

    def embed(self, image_YXC: np.ndarray, face_FKC: np.ndarray) -> np.ndarray: ...
