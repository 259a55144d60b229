"""The store of hand motion with its sound: what stage 1 of EMO2 is trained on, whoever prepared it.

    folder/
      index.json            frame rate, width of the speech features, ids in order
      clips/<id>.safetensors

Axes: F frames, D speech features.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..config import Config
from ..hands.parameters import HandParameters
from .store import StoreError

_ARRAYS = ("vectors_FD", "valid_FH", "sizes_frac_FH", "offset_FD", "audio_FD")
_LIMBS = "limbs_FKC"  # of clips whose keypoints of arms and legs are known


class GestureIndex(Config):
    """What all clips of a store have in common."""

    format: Literal["cyberhost-gesture-store-1"] = "cyberhost-gesture-store-1"
    fps: float
    audio_dim: int
    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GestureClip:
    """One clip: hands, and what is heard meanwhile.

    Shapes:   parameters of F frames; audio_FD (F, D) float16 speech features at the parameters' rate, one row
              per frame
    Units:    style: one of the names that the transformer knows, see GestureConfig
    """

    parameters: HandParameters
    audio_FD: np.ndarray
    style: str = "speaking"

    def __len__(self) -> int:
        return len(self.parameters)


def write_gesture_clip(folder: Path, name: str, clip: GestureClip) -> None:
    """Write one clip; it appears whole or not at all. The index is written once, by write_gesture_index.

    Raises:   StoreError: sound and motion differ in length
    """
    if len(clip.audio_FD) != len(clip):
        raise StoreError(
            f"The clip {name} has {len(clip)} frames of motion and speech features of {len(clip.audio_FD)}, "
            "but one row per frame was expected; bring the features to the motion's rate."
        )
    path = _path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    hands = clip.parameters
    arrays = {
        "vectors_FD": hands.vectors_FD,
        "valid_FH": hands.valid_FH,
        "sizes_frac_FH": hands.sizes_frac_FH,
        "offset_FD": hands.offset_FD,
        "audio_FD": clip.audio_FD.astype(np.float16),
    }
    if hands.limbs_FKC is not None:
        arrays[_LIMBS] = hands.limbs_FKC
    metadata = {"fps": str(hands.fps), "source": hands.source, "style": clip.style}
    half_written = path.with_suffix(".partial")
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, half_written, metadata)
    os.replace(half_written, path)


def has_gesture_clip(folder: Path, name: str) -> bool:
    """Tell whether a clip was written already, so that a killed preparation goes on."""
    return _path(folder, name).is_file()


def write_gesture_index(folder: Path, index: GestureIndex) -> None:
    """Write the index, which makes the folder a store."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").write_text(json.dumps(json.loads(index.to_json()), indent=1), encoding="utf-8")


class GestureClips:
    """Read a store.

    Raises:   StoreError: the folder has no index, or a clip is missing, damaged or of another kind
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "index.json"
        if not path.is_file():
            raise StoreError(
                f"The folder {folder} holds no gesture clips (no index.json); "
                "make them with 'cyberhost prepare gestures'."
            )
        self.folder = folder
        self.index = GestureIndex.parse(path.read_text(encoding="utf-8"))
        if not self.index.ids:
            raise StoreError(f"The store {folder} lists no clips; prepare at least one.")

    def __len__(self) -> int:
        return len(self.index.ids)

    def __iter__(self) -> Iterator[GestureClip]:
        return (self[number] for number in range(len(self)))

    def styles(self) -> set[str]:
        """Tell the styles of all clips, from their headers alone."""
        return {self._read(number, arrays=())[0]["style"] for number in range(len(self))}

    def __getitem__(self, number: int) -> GestureClip:
        path = _path(self.folder, self.index.ids[number])
        metadata, arrays = self._read(number, arrays=(*_ARRAYS, _LIMBS))
        audio_FD = arrays.pop("audio_FD")
        if audio_FD.ndim != 2 or audio_FD.shape[1] != self.index.audio_dim:
            raise StoreError(
                f"The gesture clip {path} has speech features of shape {list(audio_FD.shape)}, but "
                f"{self.index.audio_dim} per frame were expected; prepare all clips with one speech encoder."
            )
        parameters = HandParameters(
            **arrays, fps=float(metadata["fps"]), source=metadata.get("source", str(path))
        )
        return GestureClip(parameters=parameters, audio_FD=audio_FD, style=metadata["style"])

    def _read(self, number: int, *, arrays: tuple[str, ...]) -> tuple[dict[str, str], dict[str, np.ndarray]]:
        """Read a clip's metadata, and these of its arrays; limbs are left out where it has none."""
        path = _path(self.folder, self.index.ids[number])
        try:
            with safe_open(path, framework="np") as file:
                metadata = file.metadata() or {}
                held = {*_ARRAYS, *file.keys()}
                found = {name: file.get_tensor(name) for name in arrays if name in held}
        except (OSError, SafetensorError) as error:
            raise StoreError(
                f"The gesture clip {path} cannot be read ({error}); prepare the data again."
            ) from error
        if not {"fps", "style"} <= metadata.keys():
            raise StoreError(
                f"The gesture clip {path} does not say its frame rate and style, as every clip should; "
                "prepare the data again."
            )
        return metadata, found


def _path(folder: Path, name: str) -> Path:
    return folder / "clips" / f"{name}.safetensors"
