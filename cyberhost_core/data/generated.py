"""Clips that a model made for the sound of prepared videos: its classifiers tell them from the real ones.

folder/
  index.json               the model's system, and per clip: which video, from which frame, by which reference
  clips/<number>.safetensors   latents
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..config import Config, Count
from .store import StoreError

FORMAT = "cyberhost-generated-1"
_GET = "make it with 'cyberhost prepare generated'"


class GeneratedClip(Config):
    """What a clip was made for: video's number in its store, first frame, number of the reference."""

    video: int
    start: int
    choice: int


class GeneratedIndex(Config):
    """What all clips have in common; videos: how many the store had."""

    format: Literal["cyberhost-generated-1"] = FORMAT
    system: str
    frames: Count
    videos: Count
    clips: tuple[GeneratedClip, ...] = Field(min_length=1)


@dataclass(frozen=True)
class GeneratedClips:
    """A folder of them.

    Raises:   StoreError: it is none
    """

    folder: Path

    @property
    def index(self) -> GeneratedIndex:
        path = self.folder / "index.json"
        if not path.is_file():
            raise StoreError(f"The folder {self.folder} holds no generated clips (no index.json); {_GET}.")
        text = path.read_text(encoding="utf-8")
        try:
            found = dict(json.loads(text)).get("format")
        except (ValueError, TypeError) as error:
            raise StoreError(f"{path} is no index of generated clips ({error}); {_GET} again.") from error
        if found != FORMAT:
            raise StoreError(f"{self.folder} has the format '{found}', but '{FORMAT}' was expected; {_GET}.")
        return GeneratedIndex.parse(text)

    def latents(self, number: int) -> np.ndarray:
        """Read a clip's latents, (F, C, h, w) float16.

        Raises:   StoreError: it is missing or damaged
        """
        path = clip_path(self.folder, number)
        try:
            return load_file(path)["latents_FCHW"]
        except (OSError, SafetensorError, KeyError) as error:
            raise StoreError(f"The generated clip {path} cannot be read ({error}); {_GET} again.") from error


def clip_path(folder: Path, number: int) -> Path:
    """Say where a clip lies."""
    return folder / "clips" / f"{number:06d}.safetensors"


def write_clip(folder: Path, number: int, latents_FCHW: np.ndarray) -> None:
    """Write a clip; the index is written once, at the end, by `write_generated_index`."""
    path = clip_path(folder, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file({"latents_FCHW": np.ascontiguousarray(latents_FCHW, dtype=np.float16)}, part)
    part.replace(path)


def write_generated_index(folder: Path, index: GeneratedIndex) -> None:
    """Write the index, which makes the folder a set of generated clips."""
    (folder / "index.json").write_text(json.dumps(json.loads(index.to_json()), indent=1), encoding="utf-8")
