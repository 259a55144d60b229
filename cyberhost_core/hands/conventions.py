"""What a file of hands does not say about itself, and its user tells: never guessed, and never told in vain.

rate           frames per second, where the file has none, or a wrong one
hand mean      finger turns may be counted from MANO's mean pose; then that mean has to be added
handedness     "left" may be the person's own, or what a mirror shows
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import ConfigError, MediaError
from .npz_file import read_numbers
from .skeleton import JOINTS, SIDES

HANDEDNESS = ("own", "mirrored")
INCLUDED: Literal["included"] = "included"
FINGER_NUMBERS = (JOINTS - 1) * 3
_MEANS = ("hands_meanl", "hands_meanr")  # SMPL-X's own names, left and right
_WORDS = {
    "fps": "a rate (fps)",
    "hand_mean": "where the hands' mean pose is (hand mean)",
    "handedness": "a handedness",
}


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """Hold what was told of a file; None: nothing.

    Units:    fps: frames per second; hand_mean: "included" where finger turns are counted from a flat hand,
              else the SMPL-X model file (npz) that holds the mean pose to be added; handedness: "own" where
              left is the person's own and the turns of a left hand are a left hand's, "mirrored" where labels
              are those of a mirrored picture (MediaPipe), or left hands are told as right ones (HaMeR)
    """

    fps: float | None = None
    hand_mean: Path | Literal["included"] | None = None
    handedness: str | None = None

    def require_use(self, path: Path, *, uses: tuple[str, ...]) -> None:
        """Compare what was told with what such a file leaves open.

        Raises:   ConfigError: something was told that the file says itself
        """
        for name in (field.name for field in fields(self)):
            if name not in uses and getattr(self, name) is not None:
                raise ConfigError(
                    f"{path} was told {_WORDS[name]}, {getattr(self, name)}, but such a file leaves no doubt "
                    "about that; leave it out."
                )

    def rate(self, written: Any, path: Path) -> float:
        """Choose between the told rate and the one that is written in the file, None where there is none.

        Raises:   ConfigError: neither, or one that is not above 0
        """
        fps = written if self.fps is None else self.fps
        if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps < float("inf"):
            raise ConfigError(
                f"{path} has the rate {fps!r}, but frames per second above 0 were expected; tell the rate "
                "that it was made for (fps, --hands-fps)."
            )
        return float(fps)

    def mirrored(self, path: Path, *, asked: str) -> bool:
        """Tell whether left and right are a mirror's.

        Raises:   ConfigError: it was not told, or is no such thing
        """
        if self.handedness not in HANDEDNESS:
            raise ConfigError(
                f"{path} does not say {asked}, and the handedness was told as {self.handedness!r}; tell one "
                f"of {', '.join(HANDEDNESS)} (handedness, --hands-handedness)."
            )
        return self.handedness == "mirrored"

    def finger_mean(self, path: Path) -> np.ndarray:
        """Give what is to be added to finger turns (2, 15, 3), left hand first.

        Units:    radians, axis-angle; added number by number, as SMPL-X and MANO do
        Raises:   ConfigError: it was not told; MediaError: the model file holds no such mean
        """
        if self.hand_mean is None:
            raise ConfigError(
                f"{path} does not say whether its finger turns include the hands' mean pose, and nothing was "
                f"told; tell '{INCLUDED}', or the SMPL-X model file (npz) that holds the mean (hand mean, "
                "--hands-mean)."
            )
        if self.hand_mean == INCLUDED:
            return np.zeros((len(SIDES), JOINTS - 1, 3))
        return _read_mean(Path(self.hand_mean))


NOTHING_TOLD = Conventions()


def _read_mean(path: Path) -> np.ndarray:
    found = read_numbers(path, _MEANS).by_name
    shapes = {name: list(found[name].shape) for name in found}
    if shapes != {name: [FINGER_NUMBERS] for name in _MEANS}:
        raise MediaError(
            f"{path} holds {shapes or 'no mean poses'}, but {' and '.join(_MEANS)} of {FINGER_NUMBERS} "
            "numbers each were expected; give an SMPL-X model file such as SMPLX_NEUTRAL_2020.npz."
        )
    return np.stack([found[name] for name in _MEANS]).reshape(len(SIDES), JOINTS - 1, 3)
