"""Identity: is it still the same person, and is it this one rather than another?

    face of every frame --ArcFace-like network--> cosine to the reference's face vector  --+
    colours of every frame --8 x 8 x 8 histogram--> overlap with the reference's colours --+--> sum = likeness
    likeness to the own reference > likeness to every other reference?

The face vector alone is CSIM. It sees nothing of hair, clothes and background, which the colours do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..perception.face_identity import face_seen
from ..perception.protocols import DescribesFace
from ..types import Pose

BINS = 8  # per channel
FACE_DIM = 512


@dataclass(frozen=True)
class Looks:
    """Hold what a picture or a clip looks like.

    Shapes:   face_FD (F, 512), rows of length 1, or of 0 where no face is seen; colours_FB (F, 512), rows sum
              to 1
    """

    face_FD: np.ndarray
    colours_FB: np.ndarray


@dataclass(frozen=True)
class Likeness:
    """Hold how alike a clip and a reference are, averaged over frames.

    Units:    face: cosine -1..1 (CSIM); colours: overlap 0..1; higher is more alike
    """

    face: float
    colours: float

    @property
    def combined(self) -> float:
        """The rule by which the nearest reference is chosen: cosine plus overlap."""
        return self.face + self.colours


def looks(images_FYXC: np.ndarray, pose: Pose, *, face_identity: DescribesFace) -> Looks:
    """Describe the face and the colours of every picture.

    Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB, of the pose's canvas; pose of F frames
    """
    face_FD = np.zeros((len(images_FYXC), FACE_DIM))
    for frame in np.flatnonzero(face_seen(pose.face_FKC)):
        face_FD[frame] = face_identity.embed(images_FYXC[frame], pose.face_FKC[frame : frame + 1])
    return Looks(face_FD, np.stack([colour_histogram(image_YXC) for image_YXC in images_FYXC]))


def likeness(clip: Looks, reference: Looks) -> Likeness:
    """Compare every frame of a clip with one reference picture. A frame without a face has cosine 0.

    Shapes:   clip of F frames, reference of one
    Source:   CSIM: CyberHost (ICLR 2025) section 4.1; histogram intersection: Swain and Ballard 1991
    """
    overlap_F = np.minimum(clip.colours_FB, reference.colours_FB[0]).sum(axis=1)
    return Likeness(face=float((clip.face_FD @ reference.face_FD[0]).mean()), colours=float(overlap_F.mean()))


def own_is_nearest(likenesses: Sequence[Likeness], *, own: int) -> bool:
    """Tell whether a clip is more like its own reference than like any other; a tie is a miss.

    Source:   ours
    """
    others = [like.combined for number, like in enumerate(likenesses) if number != own]
    return likenesses[own].combined > max(others, default=-np.inf)


def colour_histogram(image_YXC: np.ndarray) -> np.ndarray:
    """Count the colours of a picture in 8 x 8 x 8 bins.

    Shapes:   image_YXC (Y, X, 3) uint8 RGB; result (512,) float64
    Units:    shares that sum to 1
    """
    steps = image_YXC.reshape(-1, 3).astype(np.int64) * BINS // 256
    bins = steps @ (BINS * BINS, BINS, 1)
    return np.bincount(bins, minlength=BINS**3) / len(bins)
