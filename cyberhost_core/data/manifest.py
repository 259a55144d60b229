"""The manifest of real clips: one JSON object per line says where a clip's files are (docs/data.md).

    {"video": "a.mp4", "audio": null, "hands": "a.hands.safetensors", "keypoints": "a.pose.safetensors",
     "style": "speaking", "identity": "anna", "source": null, "split": "train", "licence": "CC BY 4.0"}

Paths are relative to the manifest's own folder, or absolute.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from ..config import Config
from ..errors import CyberHostError
from ..media.output import writing, written_whole

_SEE = "see docs/data.md, or make a manifest with 'cyberhost prepare manifest'"
FILES = ("video", "audio", "hands", "keypoints")


class ManifestError(CyberHostError):
    """A manifest, or a file that it names, cannot be used; the message tells the line and the field."""


class ManifestEntry(Config):
    """One line.

    audio: null means the video's own sound. hands: a hand track with parameters, whose mask says in which
    frames which hand is valid. keypoints: a whole-body pose file. style: one that the gesture model knows.
    identity: who is seen; source: the recording that the clip was cut from, null where it is one of its own.
    licence: the terms that the clip is under, in words that go into the weights trained on it
    """

    format: Literal["cyberhost-clip-1"] = "cyberhost-clip-1"
    video: str = Field(min_length=1)
    audio: str | None = Field(default=None, min_length=1)
    hands: str = Field(min_length=1)
    keypoints: str = Field(min_length=1)
    style: str = Field(default="speaking", min_length=1)
    identity: str | None = Field(default=None, min_length=1)
    source: str | None = Field(default=None, min_length=1)
    split: Literal["train", "held_out"] = "train"
    licence: str | None = Field(default=None, min_length=1)

    @property
    def group(self) -> tuple[str, str]:
        """What must not be split: clips of one person, or where nobody is named, of one recording."""
        return ("identity", self.identity) if self.identity else ("source", self.source or self.video)


@dataclass(frozen=True)
class ManifestClip:
    """Hold a line with its place: what reads the files can say where a bad one is named."""

    entry: ManifestEntry
    manifest: Path
    line: int

    @property
    def name(self) -> str:
        return f"{self.line:05d}_{Path(self.entry.video).stem}"

    def path(self, field: str) -> Path:
        """Find the file that a field names; the sound may be the video's own."""
        named = getattr(self.entry, field) or self.entry.video
        return self.manifest.parent / named

    @contextmanager
    def reading(self, field: str) -> Iterator[None]:
        """Tell with every error which line and field of the manifest it comes from."""
        try:
            yield
        except ManifestError:
            raise
        except CyberHostError as error:
            raise ManifestError(f"{self.manifest}, line {self.line}, '{field}': {error}") from error


def read_manifest(path: str | Path) -> list[ManifestClip]:
    """Read a manifest and check that every file is there; empty lines are passed by.

    Raises:   ManifestError: missing, no text, no clip, a line that is no JSON object of the schema, a file
              that is not there, or a person or a recording on both sides of the split
    """
    clips = _listed(Path(path))
    if not clips:
        raise ManifestError(f"The manifest {path} lists no clip, but at least 1 was expected; {_SEE}.")
    for clip in clips:
        _require_files(clip)
    _require_whole_groups(clips)
    return clips


def identities_in(path: Path) -> dict[str, str]:
    """Read who is seen in which video, as somebody wrote it into a manifest: video -> identity.

    Raises:   ManifestError: no text, or a line that is no JSON object of the schema
    """
    entries = [clip.entry for clip in _listed(path)] if path.is_file() else []
    return {entry.video: entry.identity for entry in entries if entry.identity}


def holding_out(entries: Iterable[ManifestEntry], *, every: int) -> list[ManifestEntry]:
    """Keep each person of that number from training, with all clips of theirs; 0: nobody.

    Persons are counted in the order of their first clip; where nobody is named, recordings are.
    """
    entries = list(entries)
    groups = list(dict.fromkeys(entry.group for entry in entries))
    held_out = set(groups[every - 1 :: every]) if every else set()
    return [entry.derive(split="held_out" if entry.group in held_out else "train") for entry in entries]


def write_manifest(path: str | Path, entries: Iterable[ManifestEntry]) -> None:
    """Write a manifest, whole or not at all.

    Raises:   MediaError: the place takes no file
    """
    with written_whole(path) as part, writing(path):
        part.write_text("".join(f"{entry.to_json()}\n" for entry in entries), encoding="utf-8")


def relative_to(manifest: str | Path, path: str | Path) -> str:
    """Write a path as a manifest names it, with / on every system."""
    return Path(os.path.relpath(path, Path(manifest).parent)).as_posix()


def of_split(clips: Iterable[ManifestClip], split: Literal["train", "held_out"]) -> list[ManifestClip]:
    """Take the clips of one side.

    Raises:   ManifestError: there is none
    """
    clips = list(clips)
    chosen = [clip for clip in clips if clip.entry.split == split]
    if not chosen:
        raise ManifestError(
            f"None of the {len(clips)} clips in {clips[0].manifest} has the split '{split}', but at least 1 "
            "was expected; set it on some lines, or prepare the other split."
        )
    return chosen


def _listed(path: Path) -> list[ManifestClip]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"The manifest {path} cannot be read ({error}), but a UTF-8 text was expected; {_SEE}."
        ) from error
    return [
        ManifestClip(_entry(line, path=path, number=number), path, number)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _require_whole_groups(clips: Iterable[ManifestClip]) -> None:
    first: dict[tuple[str, str], ManifestClip] = {}
    for clip in clips:
        other = first.setdefault(clip.entry.group, clip)
        if other.entry.split != clip.entry.split:
            kind, name = clip.entry.group
            raise ManifestError(
                f"{clip.manifest}, line {clip.line}, 'split': the {kind} '{name}' is '{clip.entry.split}' "
                f"here and '{other.entry.split}' in line {other.line}, but held-out clips of whom the model "
                "was trained on measure nothing; give all of them one split."
            )


def licences(clips: Iterable[ManifestClip]) -> str:
    """Say which terms the clips are under, and how many each; nothing where no line says it."""
    counts = Counter(clip.entry.licence for clip in clips)
    if set(counts) <= {None}:
        return ""
    said = (
        (licence or "not stated", f"{count} clip{'s' * (count > 1)}") for licence, count in counts.items()
    )
    return ", ".join(f"{licence} ({clips})" for licence, clips in said)


def _entry(line: str, *, path: Path, number: int) -> ManifestEntry:
    try:
        return ManifestEntry.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        where = f", '{field}'" if field else ""
        raise ManifestError(f"{path}, line {number}{where}: {first['msg']}; {_SEE}.") from error


def _require_files(clip: ManifestClip) -> None:
    for field in FILES:
        if not clip.path(field).is_file():
            raise ManifestError(
                f"{clip.manifest}, line {clip.line}, '{field}': there is no file {clip.path(field)}; paths "
                "are relative to the manifest's folder: correct the line, or put the file there."
            )
