"""The whole story: a picture, a voice and what drives the body become a video.

files -> Talker -> portrait read -> track -> frames, a few at a time -> mp4 with the sound
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..checkpoints.file import open_checkpoint
from ..errors import Cancelled
from ..media.audio import Sound, read_sound
from ..media.probe import video_facts
from ..media.video import VideoWriter
from ..reports.machine import peak_memory_mb
from .choices import hears, networks_for_puppets, require_usable
from .options import GenerateOptions, Networks
from .talker import Talker

__all__ = ["GenerateOptions", "GenerateReport", "Networks", "Progress", "generate"]


@dataclass(frozen=True)
class Progress:
    """Say how far a stage is; stages come in order: "prepare", "hands" where hands drive, "sample"."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class GenerateReport:
    """Say what was written, and what it took; seconds cover everything from loading to the last frame."""

    path: Path
    frames: int
    seconds: float
    seconds_per_frame: float
    peak_memory_mb: float | None


def generate(
    checkpoint_path: Path,
    *,
    image_YXC: np.ndarray,
    sound: Sound | None,
    out_path: Path,
    options: GenerateOptions,
    networks: Networks | None = None,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    on_progress: Callable[[Progress], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> GenerateReport:
    """Generate a video.

    A system that hears makes ceil(duration x fps) frames, one that only follows a video as many as that has.
    sound: None takes that of the driving video, if it has one. The file carries the sound, as AAC. on_notice:
    is told what may be a mistake, and is none for sure.

    Shapes:   image_YXC (Y, X, 3) uint8 RGB, any size; it is cropped to the system's proportions
    Raises:   CyberHostError: every bad input, one sentence each; Cancelled: is_cancelled said so; no file is
              left behind
    Source:   CyberHost sections 3 and 4.1, appendix E
    """
    began = time.perf_counter()
    stop_if_cancelled = _cancel_check(is_cancelled)
    show = on_progress or _say_nothing
    stored, networks = open_checkpoint(checkpoint_path), networks or Networks()
    sound = sound or _sound_of(options.driving.video)
    require_usable(stored.spec, options, networks, has_sound=sound is not None)
    if sound is not None and hears(stored.spec):
        sound.require_audible()
    for option in networks_for_puppets(stored.spec, options, networks):
        (on_notice or _say_nothing)(
            f"'{stored.spec.name}' is for people, but the bundled network of {option} knows drawn puppets; "
            "name one for people."
        )
    talker = Talker.of(stored, networks=networks, device=device, dtype=dtype)
    show(Progress("prepare", 0, 2))
    portrait = talker.portrait(image_YXC, options)
    reference = talker.reference(portrait)
    stop_if_cancelled()
    show(Progress("prepare", 1, 2))

    def on_hands(done: int, total: int) -> None:
        stop_if_cancelled()
        show(Progress("hands", done, total))

    classifiers = talker.classifiers(portrait, options)
    track = talker.track(sound, portrait, options, tell=on_hands, notice=on_notice)
    show(Progress("prepare", 2, 2))

    def on_step(done: int, total: int) -> None:
        stop_if_cancelled()
        show(Progress("sample", done, total))

    height, width = (side * options.scale for side in portrait.picture_YXC.shape[:2])
    fps = talker.fps(options)
    carried = None if sound is None else sound.first(len(track), fps=fps)
    with VideoWriter(out_path, fps=fps, height=height, width=width, sound=carried) as writer:
        for frames_FYXC in talker.frames(reference, track, options, on_step=on_step, classifiers=classifiers):
            writer.write(_enlarged(frames_FYXC, options.scale))
    seconds = time.perf_counter() - began
    return GenerateReport(out_path, len(track), seconds, seconds / len(track), peak_memory_mb())


def _sound_of(video: Path | None) -> Sound | None:
    return read_sound(video) if video is not None and video_facts(video).has_sound else None


def _enlarged(frames_FYXC: np.ndarray, scale: int) -> np.ndarray:
    if scale == 1:
        return frames_FYXC
    x = torch.from_numpy(frames_FYXC).permute(0, 3, 1, 2).float()
    larger = torch.nn.functional.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)
    return larger.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _say_nothing(_: object) -> None:
    pass


def _cancel_check(is_cancelled: Callable[[], bool] | None) -> Callable[[], None]:
    def check() -> None:
        if is_cancelled and is_cancelled():
            raise Cancelled("Stopped as asked; no file was written.")

    return check
