"""Real clips, as a manifest lists them, into what both trainers read.

manifest line -> video, sound, keypoints, hand parameters, checked against each other
    --hand clarity measured, crop and resize--> Footage
    --Encoder-------------------> PreparedVideo (video training)
    --speech features-----------> GestureClip   (training of hands from sound)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..controls.hand_clarity import absolute_clarities, clarity_scores
from ..controls.pose_file import load_pose_track
from ..controls.regions import hands_seen
from ..errors import ConfigError, MediaError, PoseError
from ..hands.limbs import limbs_of
from ..hands.parameters import HandParameters
from ..hands.track import load_hand_track
from ..media.audio import read_sound
from ..media.probe import video_facts
from ..media.video import iter_frames
from ..perception.face_identity import face_seen
from ..perception.hearing import Hearing, hear
from ..types import Pose
from ..units import LATENT_STRIDE_PX, SPEECH_RATE_HZ
from .buckets import Size, bucket_sizes, nearest_size
from .encode import Encoder
from .framing import Framing
from .gesture_store import GestureClip, GestureIndex, write_gesture_clip, write_gesture_index
from .manifest import ManifestClip, licences
from .store import Bucket, StoreIndex, write_index, write_video

SAME_FPS = 0.01  # 25 and 25.001 are one rate, 24 and 23.976 are two
SOUND_MISSING_SECS = 0.25  # encoders cut or pad the end of a sound; more than that is another sound
Say = Callable[[int, int], None]  # (done, total)


@dataclass(frozen=True)
class FootageFormat:
    """The rate that all clips of a store have, and their size, or the area of their sizes.

    Units:    px, multiples of 8; fps frames per second; unit px: clips keep about their own proportions, in
              sizes of that area with sides that are multiples of it (see bucket_sizes); 0: all have one size
    Raises:   ConfigError: a side that is no multiple of 8, a rate that is not positive, or a unit of which
              the sides are no multiples
    """

    height: int
    width: int
    fps: float
    unit: int = 0

    def __post_init__(self) -> None:
        for side, size in (("height", self.height), ("width", self.width)):
            if size < LATENT_STRIDE_PX or size % LATENT_STRIDE_PX:
                raise ConfigError(
                    f"A {side} of {size} px was asked for, a multiple of {LATENT_STRIDE_PX} was expected; "
                    f"take {max(1, round(size / LATENT_STRIDE_PX)) * LATENT_STRIDE_PX}."
                )
        if not 0 < self.fps < float("inf"):
            raise ConfigError(
                f"A rate of {self.fps} was asked for, but frames per second above 0 were expected."
            )
        self.sizes  # noqa: B018 - refuses a unit that does not fit

    @property
    def sizes(self) -> tuple[Size, ...]:
        """All sizes that a clip may get."""
        base = Size(self.height, self.width)
        return bucket_sizes(base, unit=self.unit) if self.unit else (base,)


@dataclass(frozen=True, kw_only=True)
class Footage:
    """Hold one clip, brought to the format.

    Shapes:   frames_FYXC (F, height, width, 3) uint8 RGB; pose and hands of the same frames; clarity_F4
              (F, 4) of the hands as they were filmed; wave_T mono
    Units:    pose in px of these frames; wave_T at 16 kHz
    """

    frames_FYXC: np.ndarray
    pose: Pose
    hands: HandParameters
    clarity_F4: Tensor
    wave_T: np.ndarray
    style: str


@dataclass(frozen=True)
class Listener:
    """What hears the clips; hearing: how, in the words of conditioners.sound."""

    hearing: str
    network: Hearing


@dataclass(frozen=True)
class Stores:
    """Where prepared clips go: videos with the encoder that makes them, gestures, or both."""

    videos: tuple[Path, Encoder] | None = None
    gestures: Path | None = None


def prepare_footage(
    clips: Sequence[ManifestClip],
    stores: Stores,
    *,
    listener: Listener | None,
    to: FootageFormat,
    say: Say,
) -> None:
    """Prepare all clips; the indices, which make folders stores, are written at the end.

    listener: None for a system that hears nothing

    Raises:   ManifestError: a clip's file cannot be used; line and field are in the message
    """
    names: dict[Size, list[str]] = {size: [] for size in to.sizes}
    for done, clip in enumerate(clips, start=1):
        footage = read_footage(clip, to)
        names[Size(footage.pose.height, footage.pose.width)].append(clip.name)
        with clip.reading("audio"):
            audio_FD = _heard(listener, footage, fps=to.fps)
        if stores.videos:
            folder, encoder = stores.videos
            _write_video(clip, footage, audio_FD, folder=folder, encoder=encoder)
        if stores.gestures:
            made = GestureClip(
                parameters=replace(footage.hands, limbs_FKC=limbs_of(footage.pose)),
                audio_FD=audio_FD.numpy(),
                style=footage.style,
            )
            write_gesture_clip(stores.gestures, clip.name, made)
        say(done, len(clips))
    if stores.videos:
        buckets = [
            Bucket(height=size.height, width=size.width, ids=tuple(ids)) for size, ids in names.items() if ids
        ]
        index = StoreIndex(
            fps=to.fps,
            buckets=tuple(buckets),
            hearing=listener.hearing if listener else "nothing",
            data=f"{len(clips)} clips of footage, listed in {clips[0].manifest.name}",
            licence=licences(clips),
        )
        write_index(stores.videos[0], index)
    if stores.gestures:
        ids = tuple(clip.name for clip in clips)
        size = listener.network.size if listener else 0
        write_gesture_index(stores.gestures, GestureIndex(fps=to.fps, audio_dim=size, ids=ids))


def read_footage(clip: ManifestClip, to: FootageFormat) -> Footage:
    """Read a clip, check that its files belong together, and bring it to the format.

    Raises:   ManifestError: a file that cannot be read, another rate, another number of frames, another
              canvas, no parameters, a sound that ends early
    """
    with clip.reading("video"):
        _require_rate(video_facts(clip.path("video")).fps, to.fps, what="video")
    with clip.reading("keypoints"):
        found = load_pose_track(clip.path("keypoints"))
        _require_rate(found.fps, to.fps, what="keypoints")
    with clip.reading("video"):
        framing, frames_FYXC, absolute_FH = _looked_at(clip.path("video"), found.pose, to)
    with clip.reading("keypoints"):
        _require_same(found.pose, frames_FYXC, framing)
    with clip.reading("hands"):
        track = load_hand_track(clip.path("hands"))
        _require_rate(track.fps, to.fps, what="hand track")
        _require_same(track.pose, frames_FYXC, framing)
        hands = _parameters(track.parameters)
    with clip.reading("audio"):
        wave_T = read_sound(clip.path("audio")).speech_T()
        _require_sound(wave_T, secs=len(frames_FYXC) / to.fps)
    pose = framing.pose(found.pose)
    absolute_FH[~hands_seen(pose)] = np.nan  # what was cut off is not there
    return Footage(
        frames_FYXC=frames_FYXC,
        pose=pose,
        hands=framing.hands(hands),
        clarity_F4=clarity_scores(absolute_FH),
        wave_T=wave_T,
        style=clip.entry.style,
    )


def _heard(listener: Listener | None, footage: Footage, *, fps: float) -> Tensor:
    """Describe a clip's sound, one row per frame, float16."""
    frames = len(footage.hands)
    if listener is None:
        return torch.zeros(frames, 0, dtype=torch.float16)
    return hear(listener.network, footage.wave_T, frames=frames, fps=fps)


def _write_video(
    clip: ManifestClip, footage: Footage, audio_FD: Tensor, *, folder: Path, encoder: Encoder
) -> None:
    with clip.reading("keypoints"):
        if not face_seen(footage.pose.face_FKC).any():
            raise PoseError(
                f"None of the {len(footage.pose)} frames shows the face with eyes, nose and mouth, after it "
                f"was brought to {footage.pose.width} x {footage.pose.height} px, at least 1 was expected as "
                "reference; leave the clip out, or crop the video about the person first."
            )
    video = encoder.encode(
        footage.frames_FYXC,
        footage.pose,
        hands=footage.hands,
        detected=footage.pose,
        audio_FD=audio_FD,
        clarity_F4=footage.clarity_F4,
    )
    write_video(folder, clip.name, video)


def _looked_at(path: Path, pose: Pose, to: FootageFormat) -> tuple[Framing, np.ndarray, np.ndarray]:
    """Bring a video to the size nearest to its own, and measure how clear its hands were filmed.

    It is read in pieces, so that its full size is never held at once. Algorithm 1 measures clarity on the
    original frames: the Laplacian of a crop that was made small before tells of the resizing, too.

    Shapes:   result: framing; frames_FYXC; absolute clarity (F, 2)
    """
    framing, pieces, clear, done = None, [], [], 0
    for piece_FYXC in iter_frames(path):
        own = Size(*piece_FYXC.shape[1:3])
        if framing is None:
            size = nearest_size(to.sizes, own)
            framing = Framing(own.height, own.width, height=size.height, width=size.width)
        pieces.append(framing.pictures(piece_FYXC))
        clear.append(absolute_clarities(piece_FYXC, pose[done : done + len(piece_FYXC)]))
        done += len(piece_FYXC)
    if framing is None:
        raise MediaError(f"{path} holds no frame that can be decoded; export it again as mp4.")
    return framing, np.concatenate(pieces), np.concatenate(clear)


def _require_rate(fps: float, wanted: float, *, what: str) -> None:
    if abs(fps - wanted) > SAME_FPS:
        raise MediaError(
            f"The rate of the {what} is {fps:g} frames per second, but the store's {wanted:g} were expected; "
            f"convert the video first (ffmpeg -i in.mp4 -r {wanted:g} out.mp4) and make its keypoints and "
            "hands again, or prepare a store of that rate."
        )


def _require_same(pose: Pose, frames_FYXC: np.ndarray, framing: Framing) -> None:
    if len(pose) != len(frames_FYXC):
        raise MediaError(
            f"The file has {len(pose)} frames, but the video's {len(frames_FYXC)} were expected; make it "
            "again from this video."
        )
    if (pose.width, pose.height) != (framing.from_width, framing.from_height):
        raise MediaError(
            f"The file's canvas is {pose.width} x {pose.height} px, but the video's {framing.from_width} x "
            f"{framing.from_height} px were expected; make it again from this video."
        )


def _parameters(hands: HandParameters | None) -> HandParameters:
    if hands is None:
        raise PoseError(
            "The hand track has keypoints alone, but hand parameters were expected; fit them to the "
            "keypoints with 'cyberhost prepare manifest', or save the track of a driver that knows them."
        )
    hands.require_hands()
    return hands


def _require_sound(wave_T: np.ndarray, *, secs: float) -> None:
    heard = len(wave_T) / SPEECH_RATE_HZ
    if heard < secs - SOUND_MISSING_SECS:
        raise MediaError(
            f"The sound lasts {heard:.2f} s, but the video's {secs:.2f} s were expected; give the sound that "
            "belongs to this video, or cut the video to it."
        )
