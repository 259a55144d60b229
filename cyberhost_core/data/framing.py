"""Bring pictures of any size to the size that a system is trained at, and what was found in them along.

1920 x 1080 --crop as media.fit does--> 768 wide, 1024 high --resize--> 96 x 128
keypoints, hand parameters: moved by the same crop and scale
"""

from dataclasses import dataclass, replace

import numpy as np

from ..hands.parameters import HAND_NUMBERS, HandParameters
from ..hands.skeleton import SIDES
from ..media.fit import fit_image
from ..types import SEEN, Pose


@dataclass(frozen=True)
class Framing:
    """Hold the part of a picture that is kept, and the size that it gets.

    Units:    px: from_height x from_width whole, left, kept_height x kept_width kept, height x width made
    """

    from_height: int
    from_width: int
    height: int
    width: int

    @property
    def left(self) -> int:
        return (self.from_width - self.kept_width) // 2

    @property
    def kept_width(self) -> int:
        return min(self.from_width, round(self.from_height * self.width / self.height))

    @property
    def kept_height(self) -> int:
        return min(self.from_height, round(self.from_width * self.height / self.width))

    def pictures(self, frames_FYXC: np.ndarray) -> np.ndarray:
        """Crop and resize.

        Shapes:   result (F, height, width, 3) uint8
        """
        return np.stack([fit_image(frame, height=self.height, width=self.width) for frame in frames_FYXC])

    def pose(self, pose: Pose) -> Pose:
        """Move keypoints; those that were cut off are no longer seen."""
        scale_x, scale_y = self._scale()
        packed = pose.packed_FKC().astype(np.float64)
        packed[..., :2] = (packed[..., :2] - (self.left, 0)) * (scale_x, scale_y)
        inside = ((packed[..., :2] >= 0) & (packed[..., :2] < (self.width, self.height))).all(axis=-1)
        packed[~inside | (packed[..., 2] < SEEN)] = 0
        return Pose.from_packed(packed.astype(np.float32), height=self.height, width=self.width)

    def hands(self, hands: HandParameters) -> HandParameters:
        """Move hand parameters: wrists, sizes and the body's offset; turns stay as they are."""
        scale_x, scale_y = self._scale()
        frames, valid = len(hands), hands.valid_FH[..., None]
        across = self.from_width * scale_x / self.width
        along = self.from_height * scale_y / self.height
        shift = self.left * scale_x / self.width
        vectors = hands.vectors_FD.reshape(frames, len(SIDES), HAND_NUMBERS).copy()
        moved = vectors[..., -3:] * (across, along, along) - (shift, 0, 0)
        vectors[..., -3:] = np.where(valid, moved, vectors[..., -3:])
        offset = hands.offset_FD.reshape(-1, len(SIDES), 4).copy()  # known, x, y, turn
        offset[..., 1:3] = np.where(offset[..., :1] > 0, offset[..., 1:3] * (across, along) - (shift, 0), 0)
        return replace(
            hands,
            vectors_FD=vectors.reshape(frames, -1),
            sizes_frac_FH=hands.sizes_frac_FH * along,
            offset_FD=offset.reshape(len(offset), -1),
        )

    def _scale(self) -> tuple[float, float]:
        return self.width / self.kept_width, self.height / self.kept_height
