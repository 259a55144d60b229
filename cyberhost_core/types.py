"""Value types that every stage shares. Axes: F frames, K keypoints, C channels, Y X image pixels, T samples.

Boxes are always (x0, y0, x1, y1) in pixels, half open. Keypoints are (x, y, score) in pixels of the canvas.
"""

from dataclasses import dataclass, replace

import numpy as np

BODY_POINTS = 18  # OpenPose body
FACE_POINTS = 68  # iBUG
HAND_POINTS = 21  # wrist, then four per finger from the thumb
THORAX = 1  # OpenPose "neck": midpoint of the shoulders; the paper's thorax point
SEEN = 0.3  # a keypoint counts as seen from this score on (DWPose's own threshold)


@dataclass(frozen=True)
class Pose:
    """Hold the whole-body keypoints of one person over F frames.

    Shapes:   body_FKC (F, 18, 3) OpenPose order; face_FKC (F, 68, 3) iBUG order;
              left_hand_FKC, right_hand_FKC (F, 21, 3). Left and right are the person's own.
    Units:    x, y in pixels of a canvas of height x width; score 0..1, below SEEN means "not there"
    """

    body_FKC: np.ndarray
    face_FKC: np.ndarray
    left_hand_FKC: np.ndarray
    right_hand_FKC: np.ndarray
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.body_FKC)

    def __getitem__(self, frames: slice | np.ndarray) -> "Pose":
        """Cut out frames; takes slices (or index arrays), so that F stays an axis."""
        return replace(self, **{name: getattr(self, name)[frames] for name in _PARTS})

    def packed_FKC(self) -> np.ndarray:
        """Join the parts along K: 18 body, 68 face, 21 left hand, 21 right hand = (F, 128, 3)."""
        return np.concatenate([getattr(self, name) for name in _PARTS], axis=1)

    @staticmethod
    def from_packed(packed_FKC: np.ndarray, *, height: int, width: int) -> "Pose":
        """Undo packed_FKC."""
        cuts = np.cumsum([BODY_POINTS, FACE_POINTS, HAND_POINTS])
        return Pose(*np.split(packed_FKC, cuts, axis=1), height=height, width=width)

    def thorax_FC(self) -> np.ndarray:
        """The root point of the body, (F, 3)."""
        return self.body_FKC[:, THORAX]

    def scaled(self, *, height: int, width: int) -> "Pose":
        """Move the keypoints to a canvas of another size."""
        factor = np.array([width / self.width, height / self.height, 1.0], dtype=np.float32)
        parts = {name: (getattr(self, name) * factor).astype(np.float32) for name in _PARTS}
        return Pose(**parts, height=height, width=width)


_PARTS = ("body_FKC", "face_FKC", "left_hand_FKC", "right_hand_FKC")
PACKED_POINTS = BODY_POINTS + FACE_POINTS + 2 * HAND_POINTS
