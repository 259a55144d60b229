"""A manifest from a folder of videos: a detector looks at them, hands are fitted to what it saw.

folder/a.mp4 -> keypoints    -> folder/a.pose.safetensors  --+
             -> hands fitted -> folder/a.hands.safetensors --+--> one line
folder/a.wav, if the video has no sound of its own ----------+

Clips of one person, or of one recording, lie on one side of the split.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..controls.pose_file import PoseTrack, load_pose_track, save_pose_track
from ..errors import CyberHostError, MediaError
from ..hands.fit import with_parameters
from ..hands.track import HandTrack, save_hand_track
from ..media.probe import video_facts
from ..media.video import iter_frames
from ..perception.pose import require_person
from ..perception.protocols import FindsPose
from ..types import Pose
from .manifest import (
    ManifestEntry,
    ManifestError,
    holding_out,
    identities_in,
    relative_to,
    write_manifest,
)

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
SOUNDS = (".wav", ".flac", ".mp3", ".m4a", ".ogg")
_SCENE = re.compile(r"-Scene-\d+$")  # how PySceneDetect names the clips that it cuts a recording into
Say = Callable[[int, int], None]  # (done, total)
LeaveOut = Callable[[Path, CyberHostError], None]


def make_manifest(
    folder: Path,
    out: Path,
    *,
    detector: FindsPose,
    style: str = "speaking",
    held_out_every: int = 0,
    licence: str | None = None,
    say: Say,
    leave_out: LeaveOut,
) -> list[ManifestEntry]:
    """Look at every video of a folder and write what was found beside it, then the manifest.

    Files that lie there already are kept, so that a killed run goes on, and hands of a better tracker stay. A
    video that cannot be used is left out, and leave_out is told why. Identities that somebody wrote into the
    manifest `out` are kept, too. held_out_every: each person, or recording, of that number is kept from
    training, 0 none. licence: the terms that all of them are under, None: not known.

    Raises:   ManifestError: the folder holds no video, or none that can be used, or `out` is no manifest
    """
    videos = sorted(path for path in folder.glob("*") if path.suffix.lower() in VIDEOS)
    if not videos:
        raise ManifestError(
            f"The folder {folder} holds no video ({', '.join(VIDEOS)}), but at least 1 was expected; "
            "put clips of one person each there."
        )
    identities = identities_in(out)
    entries: list[ManifestEntry] = []
    for done, path in enumerate(videos, start=1):
        try:
            entry = _looked_at(path, out, detector=detector)
        except CyberHostError as error:
            leave_out(path, error)
        else:
            named = entry.derive(style=style, licence=licence)
            entries.append(named.derive(identity=identities.get(entry.video)))
        say(done, len(videos))
    if not entries:
        raise ManifestError(
            f"None of the {len(videos)} videos in {folder} can be used, but at least 1 was expected; the "
            "lines above say why."
        )
    entries = holding_out(entries, every=held_out_every)
    write_manifest(out, entries)
    return entries


def _looked_at(path: Path, manifest: Path, *, detector: FindsPose) -> ManifestEntry:
    facts = video_facts(path)
    sound = None if facts.has_sound else _sound_beside(path)
    pose_path, hands_path = path.with_suffix(".pose.safetensors"), path.with_suffix(".hands.safetensors")
    if not pose_path.is_file():
        pose = require_person(_detected(path, detector))
        save_pose_track(pose_path, PoseTrack(pose, fps=facts.fps, source=f"detected in {path.name}"))
    if not hands_path.is_file():
        found = load_pose_track(pose_path)
        save_hand_track(
            hands_path, with_parameters(HandTrack(found.pose, fps=found.fps, source=found.source))
        )
    return ManifestEntry(
        video=relative_to(manifest, path),
        audio=None if sound is None else relative_to(manifest, sound),
        hands=relative_to(manifest, hands_path),
        keypoints=relative_to(manifest, pose_path),
        source=_recording(path),
    )


def _recording(path: Path) -> str | None:
    """Name the recording that a clip was cut from, where its own name tells."""
    name = _SCENE.sub("", path.stem)
    return None if name == path.stem else name


def _detected(path: Path, detector: FindsPose) -> Pose:
    found = [detector.detect(piece_FYXC) for piece_FYXC in iter_frames(path)]
    if not found:
        raise MediaError(f"{path} holds no frame that can be decoded; export it again as mp4.")
    packed = np.concatenate([pose.packed_FKC() for pose in found])
    return Pose.from_packed(packed, height=found[0].height, width=found[0].width)


def _sound_beside(path: Path) -> Path:
    for suffix in SOUNDS:
        if path.with_suffix(suffix).is_file():
            return path.with_suffix(suffix)
    raise MediaError(
        f"{path} has no sound, and no file of its name ({', '.join(SOUNDS)}) lies beside it, but a voice was "
        "expected; put its sound there."
    )
