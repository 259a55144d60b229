"""The whole story: a picture, a voice and what drives the body become a video.

files -> Talker -> portrait read -> track -> frames, a few at a time -> mp4 with the sound
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import Cancelled
from ..media.audio import Sound
from ..media.video import VideoWriter
from ..reports.machine import peak_memory_mb
from .talker import GenerateOptions, Networks, Talker

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
    is_cancelled: Callable[[], bool] | None = None,
) -> GenerateReport:
    """Generate a video; with a sound it has ceil(duration x fps) frames and carries the sound.

    Shapes:   image_YXC (Y, X, 3) uint8 RGB, any size; it is cropped to the system's proportions
    Raises:   CyberHostError: every bad input, one sentence each; Cancelled: is_cancelled said so; no file is
              left behind
    Source:   CyberHost sections 3 and 4.1, appendix E
    """
    began = time.perf_counter()
    if sound is not None:
        sound.require_audible()
    stop_if_cancelled = _cancel_check(is_cancelled)
    show = on_progress or _say_nothing
    talker = Talker.load(checkpoint_path, networks=networks, device=device, dtype=dtype)
    show(Progress("prepare", 0, 2))
    portrait = talker.portrait(image_YXC, options)
    reference = talker.reference(portrait)
    stop_if_cancelled()
    show(Progress("prepare", 1, 2))

    def on_hands(done: int, total: int) -> None:
        stop_if_cancelled()
        show(Progress("hands", done, total))

    track = talker.track(sound, portrait, options, tell=on_hands)
    show(Progress("prepare", 2, 2))

    def on_step(done: int, total: int) -> None:
        stop_if_cancelled()
        show(Progress("sample", done, total))

    height, width = (side * options.scale for side in portrait.picture_YXC.shape[:2])
    with VideoWriter(out_path, fps=talker.fps(options), height=height, width=width, sound=sound) as writer:
        for frames_FYXC in talker.frames(reference, track, options, on_step=on_step):
            writer.write(_enlarged(frames_FYXC, options.scale))
    seconds = time.perf_counter() - began
    return GenerateReport(out_path, len(track), seconds, seconds / len(track), peak_memory_mb())


def _enlarged(frames_FYXC: np.ndarray, scale: int) -> np.ndarray:
    if scale == 1:
        return frames_FYXC
    x = torch.from_numpy(frames_FYXC).permute(0, 3, 1, 2).float()
    larger = torch.nn.functional.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)
    return larger.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _say_nothing(_: Progress) -> None:
    pass


def _cancel_check(is_cancelled: Callable[[], bool] | None) -> Callable[[], None]:
    def check() -> None:
        if is_cancelled and is_cancelled():
            raise Cancelled("Stopped as asked; no file was written.")

    return check
