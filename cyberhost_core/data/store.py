"""The prepared-video store: what a trainer reads, whoever prepared it.

    folder/
      index.json            canvas size, latent shape, audio width, fps, ids in order
      videos/<id>.safetensors

Pixels are not kept: latents, keypoints, scores, speech features and a few reference crops are (CyberHost
appendix B.1 also trains from latents and deletes the pictures). Axes: F frames, R candidate reference frames.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..config import Config
from ..errors import CyberHostError, PoseError
from ..hands.parameters import HandParameters
from ..types import Pose


class StoreError(CyberHostError):
    """A prepared-video store is missing, damaged or of another kind."""


class StoreIndex(Config):
    """What all videos of a store have in common.

    data, licence: what is said of the clips and of the terms that they are under; empty where nothing is
    """

    format: Literal["cyberhost-store-2"] = "cyberhost-store-2"
    height: int
    width: int
    fps: float
    ids: tuple[str, ...]
    data: str = ""
    licence: str = ""


@dataclass(frozen=True, kw_only=True)
class PreparedVideo:
    """One video.

    Shapes:   latents_FCHW float16; pose and hands of F frames; hand_confidence_FH (F, 2) float32, see
              hands.confidence; audio_FD float16 speech features at fps; clarity_F4 float32;
              reference_R frame numbers that may serve as reference; hand_crops_RHCYX (R, 2, 3, 128, 128)
              uint8; face_vectors_RD (R, 512) float32
    """

    latents_FCHW: np.ndarray
    pose: Pose
    hands: HandParameters
    hand_confidence_FH: np.ndarray
    audio_FD: np.ndarray
    clarity_F4: np.ndarray
    reference_R: np.ndarray
    hand_crops_RHCYX: np.ndarray
    face_vectors_RD: np.ndarray

    def __len__(self) -> int:
        return len(self.latents_FCHW)


_ARRAYS = (
    "latents_FCHW",
    "hand_confidence_FH",
    "audio_FD",
    "clarity_F4",
    "reference_R",
    "hand_crops_RHCYX",
    "face_vectors_RD",
)
_HANDS = ("vectors_FD", "valid_FH", "sizes_frac_FH", "offset_FD")


def write_video(folder: Path, name: str, video: PreparedVideo) -> None:
    """Write one video; the index is written once, at the end, by `write_index`."""
    path = folder / "videos" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {key: np.ascontiguousarray(getattr(video, key)) for key in _ARRAYS}
    arrays["pose_FKC"] = video.pose.packed_FKC().astype(np.float32)
    arrays |= {f"hands.{key}": np.ascontiguousarray(getattr(video.hands, key)) for key in _HANDS}
    save_file(arrays, path)


def write_index(folder: Path, index: StoreIndex) -> None:
    """Write the index, which makes the folder a store."""
    (folder / "index.json").write_text(json.dumps(json.loads(index.to_json()), indent=1), encoding="utf-8")


class PreparedVideos:
    """Read a store.

    Raises:   StoreError: the folder has no index, or a video is missing or damaged
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "index.json"
        if not path.is_file():
            raise StoreError(
                f"The folder {folder} holds no prepared videos (no index.json); "
                "make them with 'cyberhost prepare'."
            )
        self.folder = folder
        self.index = StoreIndex.parse(path.read_text(encoding="utf-8"))

    def __len__(self) -> int:
        return len(self.index.ids)

    def __iter__(self) -> Iterator[PreparedVideo]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> PreparedVideo:
        path = self.folder / "videos" / f"{self.index.ids[number]}.safetensors"
        try:
            arrays = load_file(path)
        except (OSError, SafetensorError) as error:
            raise StoreError(
                f"The prepared video {path} cannot be read ({error}); prepare the data again."
            ) from error
        hands = {key: arrays.pop(f"hands.{key}", None) for key in _HANDS}
        if arrays.keys() != {*_ARRAYS, "pose_FKC"} or any(part is None for part in hands.values()):
            raise StoreError(
                f"The prepared video {path} holds {', '.join(sorted(arrays)) or 'nothing'} and not what a "
                "prepared video holds; prepare the data again."
            )
        packed = arrays.pop("pose_FKC")
        pose = Pose.from_packed(packed, height=self.index.height, width=self.index.width)
        return PreparedVideo(pose=pose, hands=self._hands(hands, path), **arrays)

    def _hands(self, arrays: dict[str, Any], path: Path) -> HandParameters:
        try:
            return HandParameters(**arrays, fps=self.index.fps, source=path.stem)
        except PoseError as error:
            raise StoreError(
                f"The prepared video {path} is damaged ({error}); prepare the data again."
            ) from error
