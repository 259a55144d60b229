"""A clip of a prepared video, as training cuts it: its frames, and the picture that serves as reference."""

from dataclasses import dataclass

import numpy as np

from ..types import Pose
from .store import PreparedVideo


@dataclass(frozen=True, eq=False, kw_only=True)
class Clip:
    """Say which frames, and which reference.

    span: the clip's frames; choice: number of the reference among the video's candidates; shared_chance: one
    number in 0..1 for all clips of a batch, for choices that they must have in common
    """

    video: PreparedVideo
    span: slice
    choice: int
    shared_chance: float = 0.0

    @property
    def pose(self) -> Pose:
        return self.video.pose[self.span]

    @property
    def reference_frame(self) -> int:
        return int(self.video.reference_R[self.choice])

    @property
    def reference_pose(self) -> Pose:
        return self.video.pose[self.reference_frame : self.reference_frame + 1]

    @property
    def hand_crops_HCYX(self) -> np.ndarray:
        return self.video.hand_crops_RHCYX[self.choice]

    @property
    def face_vector_D(self) -> np.ndarray:
        return self.video.face_vectors_RD[self.choice]
