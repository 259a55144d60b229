"""Render still pictures of many puppets, with keypoints, and keep them for the face and pose twins.

    identity seed -> portrait, one performance -> every few frames -> folder/0000000.npz ... -> Stills

A cached file holds a few frames only, so that thousands of puppets fit into memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...puppets.speech import Utterance
from ...puppets.world import HEIGHT, WIDTH, reference_portrait, render_video
from ...types import Pose

FRAMES_PER_CLIP = 48
KEYFRAMES = (5, 12, 19, 26, 33, 40, 47)  # spread over the performance
STILLS = 1 + len(KEYFRAMES)  # the portrait at rest comes first


@dataclass(frozen=True)
class Stills:
    """Hold P pictures of each of I identities; the pictures of one identity lie side by side.

    Shapes:   frames_NYXC (I*P, Y, X, 3) uint8 RGB; points_NKC (I*P, 128, 3) as
              Pose.packed_FKC; identity_N (I*P,)
    """

    frames_NYXC: np.ndarray
    points_NKC: np.ndarray
    identity_N: np.ndarray

    def __len__(self) -> int:
        return len(self.frames_NYXC)

    def poses(self, rows: np.ndarray | slice = slice(None)) -> Pose:
        """Read the keypoints of some pictures as one Pose whose frames are the pictures."""
        return Pose.from_packed(self.points_NKC[rows], height=HEIGHT, width=WIDTH)


def cached_stills(folder: Path, *, identities: Sequence[int], utterances: Sequence[Utterance]) -> Stills:
    """Render STILLS pictures of each identity, or read them if the folder has them."""
    folder.mkdir(parents=True, exist_ok=True)
    shots = [
        _cached_shot(folder / f"{seed:07d}.npz", seed=seed, utterances=utterances) for seed in identities
    ]
    return Stills(
        frames_NYXC=np.concatenate([frames for frames, _ in shots]),
        points_NKC=np.concatenate([points for _, points in shots]),
        identity_N=np.repeat(np.asarray(identities), STILLS),
    )


def save_shot(path: Path, *, seed: int, frames_FYXC: np.ndarray, points_FKC: np.ndarray) -> None:
    """Keep a puppet's portrait and some frames of its performance, FRAMES_PER_CLIP or longer."""
    portrait_YXC, rest = reference_portrait(seed)
    keys = list(KEYFRAMES)
    points = np.concatenate([rest.packed_FKC(), points_FKC[keys]]).astype(np.float32)
    np.savez(path, frames=np.concatenate([portrait_YXC[None], frames_FYXC[keys]]), points=points)


def _cached_shot(path: Path, *, seed: int, utterances: Sequence[Utterance]) -> tuple[np.ndarray, np.ndarray]:
    if not path.exists():
        utterance = utterances[seed % len(utterances)]
        video = render_video(seed, utterance=utterance, performance_seed=seed, frames=FRAMES_PER_CLIP)
        save_shot(path, seed=seed, frames_FYXC=video.frames_FYXC, points_FKC=video.pose.packed_FKC())
    with np.load(path) as shot:
        return shot["frames"], shot["points"]
