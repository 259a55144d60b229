"""Rendered puppet clips on disk, and what is made of them: pictures for the autoencoder, videos to train on.

(split, number) -> identity, voice, performance -> clip file (pixels, keypoints, sound)
    clip files -> weighted pictures                            -> `cyberhost train vae`
    clip files + autoencoder + speech + face identity -> store -> `cyberhost train image | video`
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from ..controls.audio_windows import interpolate_to_fps
from ..controls.hand_clarity import hand_clarity
from ..controls.regions import FACE_DETAILS, enclosing_boxes
from ..data.encode import Encoder
from ..data.store import Bucket, StoreIndex, write_index, write_video
from ..errors import CyberHostError
from ..hands.parameters import HandParameters
from ..hands.skeleton import SIDES
from ..perception.protocols import FindsPoseInBoxes
from ..perception.speech import SpeechFeatures
from ..types import Pose
from ..units import SPEECH_RATE_HZ, frame_count
from .gesture import HAND_LENGTH_FRAC
from .identity import random_identity
from .performance import random_performance
from .speech import synthesize
from .split import HELD_OUT_IDENTITIES, TRAIN_IDENTITIES, Split
from .world import FPS, HEIGHT, WIDTH, render_performance

CLIP_FRAMES = 56  # 2.2 s: long enough for a sway to show most of its box
START_SHARE = (
    0.25  # of the clips begin where the sound does; the others anywhere, so that not all begin in silence
)
_SOURCE = "puppet"
Say = Callable[[int, int], None]  # (done, total)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Hold a rendered clip.

    Shapes:   frames_FYXC (F, Y, X, 3) uint8, their exact pose and hands; wave_T: the whole utterance, of
              which the clip shows the part that begins at first_frame
    """

    frames_FYXC: np.ndarray
    pose: Pose
    hands: HandParameters
    wave_T: np.ndarray
    first_frame: int


def render_clips(
    folder: Path, numbers: Iterable[int], *, split: Split, say: Say, frames: int = CLIP_FRAMES
) -> None:
    """Render clips into a folder; those that are there already are kept, so a killed run goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(numbers)
    for done, number in enumerate(wanted, start=1):
        path = _path(folder, number)
        if not path.exists():
            clip = render_clip(number, split=split, frames=frames)
            arrays = {
                "frames_FYXC": clip.frames_FYXC,
                "pose_FKC": clip.pose.packed_FKC().astype(np.float32),
                "hands_FD": clip.hands.vectors_FD,
                "hand_sizes_FH": clip.hands.sizes_frac_FH,
                "wave_T": clip.wave_T,
                "first_frame": np.array([clip.first_frame]),
            }
            save_file(arrays, path.with_suffix(".partial"))
            os.replace(path.with_suffix(".partial"), path)
        say(done, len(wanted))


def render_clip(number: int, *, split: Split, frames: int = CLIP_FRAMES) -> Clip:
    """Render clip `number` of one side of the split; the same number gives the same clip."""
    identities = TRAIN_IDENTITIES if split == "train" else HELD_OUT_IDENTITIES
    rng = np.random.default_rng([number, 0xC11])
    utterance = synthesize(number, split=split)
    spare = max(0, frame_count(len(utterance.wave_T), rate_hz=SPEECH_RATE_HZ, fps=FPS) - frames)
    first = 0 if rng.random() < START_SHARE else int(rng.integers(spare + 1))
    video = render_performance(
        random_identity(identities[number % len(identities)]),
        utterance=utterance,
        performance=random_performance(number),
        frames=frames,
        first=first,
    )
    hands = video.hands.parameters(
        size_frac=HAND_LENGTH_FRAC * video.identity.hand_size, fps=FPS, source=_SOURCE
    )
    return Clip(
        frames_FYXC=video.frames_FYXC,
        pose=video.pose,
        hands=hands,
        wave_T=utterance.wave_T,
        first_frame=first,
    )


def read_clip(path: Path) -> Clip:
    """Read a clip file.

    Raises:   CyberHostError: it was rendered by an earlier version, which kept no hands
    """
    arrays = load_file(path)
    if "hands_FD" not in arrays:
        raise CyberHostError(
            f"The clip {path} holds no hand parameters, which an earlier version did not keep; "
            "delete it and render it again with 'cyberhost prepare clips'."
        )
    frames = len(arrays["hands_FD"])
    return Clip(
        frames_FYXC=arrays["frames_FYXC"],
        pose=Pose.from_packed(arrays["pose_FKC"], height=HEIGHT, width=WIDTH),
        hands=HandParameters(
            arrays["hands_FD"],
            np.ones((frames, len(SIDES)), dtype=bool),
            fps=FPS,
            source=_SOURCE,
            sizes_frac_FH=arrays["hand_sizes_FH"],
        ),
        wave_T=arrays["wave_T"],
        first_frame=int(arrays["first_frame"][0]),
    )


def clip_files(folder: Path) -> list[Path]:
    """List a folder's clips in order.

    Raises:   CyberHostError: there is none
    """
    found = sorted(folder.glob("[0-9]*.safetensors"))
    if not found:
        raise CyberHostError(
            f"The folder {folder} holds no rendered clips; make them with 'cyberhost prepare clips'."
        )
    return found


def prepare_store(
    clips: Path, out: Path, *, encoder: Encoder, speech: SpeechFeatures, detector: FindsPoseInBoxes, say: Say
) -> None:
    """Encode rendered clips into a store for the trainer.

    Keypoints are exact; the detector only says how sure it would have been of the hands.
    """
    files = clip_files(clips)
    for done, path in enumerate(files, start=1):
        clip = read_clip(path)
        total = clip.first_frame + len(clip.pose)
        features = interpolate_to_fps(speech.extract(clip.wave_T), frames=total, fps=FPS)[clip.first_frame :]
        video = encoder.encode(
            clip.frames_FYXC,
            clip.pose,
            hands=clip.hands,
            detected=detector.detect(clip.frames_FYXC),
            audio_FD=features,
            clarity_F4=hand_clarity(clip.frames_FYXC, clip.pose),
        )
        write_video(out, path.stem, video)
        say(done, len(files))
    index = StoreIndex(
        fps=FPS,
        buckets=(Bucket(height=HEIGHT, width=WIDTH, ids=tuple(path.stem for path in files)),),
        data=f"{len(files)} clips of puppets drawn by this package, with voices of espeak-ng",
        licence="no terms of others",
    )
    write_index(out, index)


class WeightedPictures:
    """Draw training pictures for the autoencoder; hands, eyes and mouth weigh more.

    Calling with a step number gives pictures (N, 3, Y, X) in -1..1 and weights (N, 1, Y, X).
    """

    HAND, FACE, DETAIL = 6.0, 1.5, 4.0

    def __init__(self, folder: Path, *, batch: int = 16, seed: int = 0) -> None:
        self.files, self.batch, self.seed = clip_files(folder), batch, seed

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng([self.seed, step])
        drawn = [
            self._draw(self.files[number], rng) for number in rng.integers(len(self.files), size=self.batch)
        ]
        pictures, weights = (np.stack(column) for column in zip(*drawn, strict=True))
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        return x.contiguous(memory_format=torch.channels_last), torch.from_numpy(weights)[:, None]

    def _draw(self, path: Path, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        with safe_open(path, framework="np") as file:  # reads one frame, not the clip
            packed = file.get_tensor("pose_FKC")
            frame = int(rng.integers(len(packed)))
            picture = file.get_slice("frames_FYXC")[frame]
        pose = Pose.from_packed(packed[frame : frame + 1], height=HEIGHT, width=WIDTH)
        return picture, self._weight(pose)

    def _weight(self, pose: Pose) -> np.ndarray:
        weight = np.ones((pose.height, pose.width), dtype=np.float32)
        parts = (
            (pose.left_hand_FKC, self.HAND),
            (pose.right_hand_FKC, self.HAND),
            (pose.face_FKC, self.FACE),
            *((pose.face_FKC[:, points], self.DETAIL) for points in FACE_DETAILS),
        )
        for points, extra in parts:
            box = enclosing_boxes(points, margin_frac=0.1)[0]
            if np.isfinite(box).all():
                x0, y0, x1, y1 = box.clip(min=0).round().astype(int)
                weight[y0:y1, x0:x1] += extra
        return weight


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.safetensors"
