"""The hands of a puppet in one clip as axis-angles, and their keypoints in the picture."""

from dataclasses import dataclass

import numpy as np

from ..hands.kinematics import hand_keypoints, in_picture
from ..hands.parameters import HandParameters
from ..hands.skeleton import SIDES, Side


@dataclass(frozen=True)
class HandMotion:
    """Hold both hands' MANO parameters over F frames; axis 1 is (left, right), the person's own.

    Shapes:   rotations (F, 2, 16, 3); translations (F, 2, 3)
    Units:    rotations: axis-angle in radians, joint 0 is the wrist in the picture's axes; translations:
              the wrist's x and y as fractions of the picture's width and height (y down), depth as a
              fraction of its height
    Source:   EMO2 section 3.3: 16 rotations and a translation per hand
    """

    rotations: np.ndarray
    translations: np.ndarray

    def __len__(self) -> int:
        return len(self.rotations)

    def parameters(self, *, size_frac: float, fps: float, source: str) -> HandParameters:
        """Give the motion as every hand driver gives it; both hands of a puppet are always there.

        Units:    size_frac: hand length as a fraction of the picture's height
        """
        return HandParameters.from_axis_angles(
            self.rotations,
            self.translations,
            fps=fps,
            source=source,
            sizes_frac_FH=np.full((1, len(SIDES)), size_frac),
        )


def projected_keypoints(
    motion: HandMotion, *, side: Side, size_frac: float, height: int, width: int
) -> np.ndarray:
    """Draw a hand's keypoints orthographically into the picture, depth kept as third column.

    Shapes:   result (F, 21, 3): x, y, depth
    Units:    pixels; depth grows towards the viewer. size_frac: hand length as a fraction of the picture's
              height
    """
    hand = SIDES.index(side)
    return in_picture(
        hand_keypoints(motion.rotations[:, hand], side=side),
        motion.translations[:, hand],
        size_frac=size_frac,
        height=height,
        width=width,
    )
