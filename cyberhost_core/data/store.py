"""The prepared-video store: what a trainer reads, whoever prepared it.

    folder/
      index.json            fps, and per picture size the ids in order
      videos/<id>.safetensors

Pixels are not kept: latents, keypoints, scores, speech features and some reference crops are (CyberHost
appendix B.1 also trains from latents and deletes the pictures). Axes: F frames, R candidate reference frames.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from ..config import Config
from ..errors import CyberHostError, PoseError
from ..hands.parameters import HandParameters
from ..types import Pose
from .buckets import Size

FORMAT = "cyberhost-store-3"


class StoreError(CyberHostError):
    """A prepared-video store is missing, damaged or of another kind."""


class Bucket(Config):
    """The videos of one size.

    Units:    height, width: of the pictures, px
    """

    height: int
    width: int
    ids: tuple[str, ...] = Field(min_length=1)

    @property
    def size(self) -> Size:
        return Size(self.height, self.width)


class StoreIndex(Config):
    """What all videos of a store have in common, and which of them have one size.

    hearing: how the sound was heard, in the words of conditioners.sound; data, licence: what is said of the
    clips and of the terms that they are under; empty where nothing is
    """

    format: Literal["cyberhost-store-3"] = FORMAT
    fps: float
    buckets: tuple[Bucket, ...] = Field(min_length=1)
    hearing: str = "wav2vec2"
    data: str = ""
    licence: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The videos in their order, bucket by bucket."""
        return tuple(name for bucket in self.buckets for name in bucket.ids)


@dataclass(frozen=True, kw_only=True)
class VideoScores:
    """What was measured of one video: little beside its latents.

    Shapes:   pose of F frames; hand_confidence_FH (F, 2) float32, see hands.confidence; clarity_F4 float32,
              see controls.hand_clarity
    Units:    picture_db: how well the autoencoder gives a picture of it back, dB
    """

    pose: Pose
    hand_confidence_FH: np.ndarray
    clarity_F4: np.ndarray
    picture_db: float


@dataclass(frozen=True, kw_only=True)
class PreparedVideo(VideoScores):
    """One video.

    hearing: how audio_FD was heard, which the store says of all its videos. None: prepared without it.

    Shapes:   latents_FCHW float16; hands of F frames; audio_FD float16 speech features at fps; reference_R
              frame numbers that may serve as reference; hand_crops_RHCYX (R, 2, 3, 128, 128) uint8;
              face_vectors_RD (R, 512) float32 of length 1; face_lengths_R float32, how long the network gave
              them; picture_vectors_RD (R, D) float32, CLIP's of the candidates
    """

    latents_FCHW: np.ndarray
    hands: HandParameters
    audio_FD: np.ndarray
    reference_R: np.ndarray
    hand_crops_RHCYX: np.ndarray
    face_vectors_RD: np.ndarray
    face_lengths_R: np.ndarray | None = None
    picture_vectors_RD: np.ndarray | None = None
    hearing: str = "wav2vec2"

    def __len__(self) -> int:
        return len(self.latents_FCHW)


_SCORES = ("hand_confidence_FH", "clarity_F4")
_ARRAYS = (*_SCORES, "latents_FCHW", "audio_FD", "reference_R", "hand_crops_RHCYX", "face_vectors_RD")
_WHERE_ASKED = ("face_lengths_R", "picture_vectors_RD")
_PACKED = ("pose_FKC", "picture_db")  # stored in another form
_HANDS = ("vectors_FD", "valid_FH", "sizes_frac_FH", "offset_FD")


def write_video(folder: Path, name: str, video: PreparedVideo) -> None:
    """Write one video; the index is written once, at the end, by `write_index`."""
    path = _path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = (*_ARRAYS, *(key for key in _WHERE_ASKED if getattr(video, key) is not None))
    arrays = {key: np.ascontiguousarray(getattr(video, key)) for key in kept}
    arrays["pose_FKC"] = video.pose.packed_FKC().astype(np.float32)
    arrays["picture_db"] = np.array([video.picture_db])
    arrays |= {f"hands.{key}": np.ascontiguousarray(getattr(video.hands, key)) for key in _HANDS}
    save_file(arrays, path)


def write_index(folder: Path, index: StoreIndex) -> None:
    """Write the index, which makes the folder a store."""
    (folder / "index.json").write_text(json.dumps(json.loads(index.to_json()), indent=1), encoding="utf-8")


class PreparedVideos:
    """Read a store.

    Raises:   StoreError: the folder has no index, or one of another format, or a video is missing or damaged
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = _read_index(folder)
        self._ids = self.index.ids
        ends = accumulate((len(bucket.ids) for bucket in self.index.buckets), initial=0)
        self._ranges = [range(start, end) for start, end in pairwise(ends)]

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[PreparedVideo]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> PreparedVideo:
        path = _path(self.folder, self._ids[number])
        try:
            arrays = load_file(path)
        except (OSError, SafetensorError) as error:
            raise _damaged(path, error) from error
        hands = {key: arrays.pop(f"hands.{key}", None) for key in _HANDS}
        needed = arrays.keys() - {*_WHERE_ASKED}
        if needed != {*_ARRAYS, *_PACKED} or any(part is None for part in hands.values()):
            raise StoreError(
                f"The prepared video {path} holds {', '.join(sorted(arrays)) or 'nothing'} and not what a "
                "prepared video holds; prepare the data again."
            )
        hearing = self.index.hearing
        return PreparedVideo(
            hands=self._hands(hands, path), hearing=hearing, **self._unpacked(arrays, number)
        )

    def scores(self, number: int) -> VideoScores:
        """Read what was measured of a video, and nothing else of its file.

        Raises:   StoreError: it is missing or damaged
        """
        path = _path(self.folder, self._ids[number])
        try:
            with safe_open(path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in (*_SCORES, *_PACKED)}
        except (OSError, SafetensorError) as error:
            raise _damaged(path, error) from error
        return VideoScores(**self._unpacked(arrays, number))

    def drawn(self, rng: np.random.Generator, *, count: int) -> Iterator[PreparedVideo]:
        """Draw videos of one size for a batch, each when it is asked for.

        The first is any of the store, so a size comes as often as it has videos; the others have its size.
        """
        numbers = range(len(self))
        for _ in range(count):
            number = numbers[int(rng.integers(len(numbers)))]
            numbers = self._ranges[self._bucket_of(number)]
            yield self[number]

    def _bucket_of(self, number: int) -> int:
        return next(bucket for bucket, numbers in enumerate(self._ranges) if number in numbers)

    def _unpacked(self, arrays: dict[str, Any], number: int) -> dict[str, Any]:
        bucket = self.index.buckets[self._bucket_of(number)]
        pose = Pose.from_packed(arrays.pop("pose_FKC"), height=bucket.height, width=bucket.width)
        return {**arrays, "pose": pose, "picture_db": float(arrays["picture_db"][0])}

    def _hands(self, arrays: dict[str, Any], path: Path) -> HandParameters:
        try:
            return HandParameters(**arrays, fps=self.index.fps, source=path.stem)
        except PoseError as error:
            raise StoreError(
                f"The prepared video {path} is damaged ({error}); prepare the data again."
            ) from error


def require_sizes(index: StoreIndex, allowed: Collection[Size], *, system: str) -> None:
    """Refuse a store with pictures of sizes that a system does not work at.

    Raises:   StoreError: there is one
    """
    strange = [bucket for bucket in index.buckets if bucket.size not in allowed]
    if strange:
        first, wanted = strange[0], " or ".join(f"{size.width} x {size.height}" for size in allowed)
        raise StoreError(
            f"The store holds {len(first.ids)} videos of {first.width} x {first.height} px, but '{system}' "
            f"works at {wanted} px only; prepare them at that size, without buckets, or train a system of "
            "any size."
        )


def _read_index(folder: Path) -> StoreIndex:
    path = folder / "index.json"
    if not path.is_file():
        raise StoreError(
            f"The folder {folder} holds no prepared videos (no index.json); "
            "make them with 'cyberhost prepare'."
        )
    text = path.read_text(encoding="utf-8")
    try:
        found = dict(json.loads(text)).get("format")
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path} is no index of a store ({error}); prepare the data again.") from error
    if found != FORMAT:
        raise StoreError(
            f"The store {folder} has the format '{found}', but '{FORMAT}' was expected; prepare the data "
            "again with this version."
        )
    return StoreIndex.parse(text)


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(f"The prepared video {path} cannot be read ({error}); prepare the data again.")


def _path(folder: Path, name: str) -> Path:
    return folder / "videos" / f"{name}.safetensors"
