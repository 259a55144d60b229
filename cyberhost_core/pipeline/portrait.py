"""The portrait as the command line knows it: a picture of the system's size, and the person in it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..perception.pose import PoseDetector, require_person
from ..types import Pose


@dataclass(eq=False, kw_only=True)
class Portrait:
    """Hold a fitted picture; its person is looked for when somebody asks.

    Shapes:   picture_YXC (Y, X, 3) uint8 RGB
    Units:    padding: of the whole picture around the person, for the detector
    """

    picture_YXC: np.ndarray
    detector: PoseDetector
    padding: float = 1.0

    @cached_property
    def pose(self) -> Pose:
        """The person's pose, one frame.

        Raises:   PoseError: nobody is seen
        """
        return require_person(self.detector.detect(self.picture_YXC, padding=self.padding))
