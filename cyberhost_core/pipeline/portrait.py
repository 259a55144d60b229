"""The portrait as the command line knows it: a picture of the system's size, and the person in it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..perception.pose import require_person
from ..types import Pose

Find = Callable[[np.ndarray], Pose]  # pictures (F, Y, X, 3) uint8, or one -> the person in each


@dataclass(eq=False, kw_only=True)
class Portrait:
    """Hold a fitted picture; its person is looked for when somebody asks.

    Shapes:   picture_YXC (Y, X, 3) uint8 RGB
    """

    picture_YXC: np.ndarray
    find: Find

    @cached_property
    def pose(self) -> Pose:
        """The person's pose, one frame.

        Raises:   PoseError: nobody is seen
        """
        return require_person(self.find(self.picture_YXC))
