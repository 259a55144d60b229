"""A clip of a prepared video, as training cuts it: its frames, and the picture that serves as reference."""

from dataclasses import dataclass

import numpy as np

from ..types import Pose
from .store import PreparedVideo, StoreError


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

    @property
    def raw_face_vector_D(self) -> np.ndarray:
        """The face's vector at the length that its network gave.

        Raises:   StoreError: the store was prepared by a version that did not keep it
        """
        lengths_R = self.video.face_lengths_R
        if lengths_R is None:
            raise StoreError(
                "The prepared videos do not say how long the vectors of their faces were, which this system "
                "asks for; prepare them again."
            )
        return self.face_vector_D * lengths_R[self.choice]

    @property
    def picture_vector_D(self) -> np.ndarray:
        """CLIP's vector of the reference picture.

        Raises:   StoreError: the store was prepared without
        """
        vectors_RD = self.video.picture_vectors_RD
        if vectors_RD is None:
            raise StoreError(
                "The prepared videos hold no CLIP vectors of their pictures, which this system asks for; "
                "prepare them with --clip-vision."
            )
        return vectors_RD[self.choice]
