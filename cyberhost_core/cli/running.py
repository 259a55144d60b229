"""What the commands that make a video share.

read_inputs -> animate -> summary
                 |  progress bars on stderr
                 |  first Ctrl-C: the core stops at its next step and cleans up; second: at once
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from .. import bundled
from ..errors import ConfigError
from ..media.audio import Sound, read_sound
from ..media.images import read_image
from ..media.output import ensure_writable
from ..media.video import SUFFIXES
from .sampling_options import chosen_place

if TYPE_CHECKING:
    from ..pipeline.generate import GenerateOptions, GenerateReport, Networks, Progress
    from ..training.loop import LoopConfig
    from .systems import Precision

_STDERR = 2


@dataclass(frozen=True, eq=False)
class Inputs:
    """Hold what a video is made from, read and checked.

    Shapes:   image_YXC (Y, X, 3) uint8 RGB
    """

    image_YXC: np.ndarray
    sound: Sound | None
    out: Path


def read_inputs(image: Path, audio: Path | None, *, out: Path) -> Inputs:
    """Read and check everything that can be checked in a second, before the weights are loaded.

    Raises:   MediaError, ImageError, AudioError: one sentence on the file that cannot be used
    """
    ensure_writable(out, suffixes=SUFFIXES)
    return Inputs(read_image(image), None if audio is None else read_sound(audio), out)


def animate(
    inputs: Inputs,
    *,
    options: "GenerateOptions",
    checkpoint: Path | None = None,
    networks: "Networks | None" = None,
    device: str | None = None,
    dtype: "Precision | None" = None,
    quiet: bool = False,
) -> "GenerateReport":
    """Run the core on the inputs, with bars and a clean Ctrl-C.

    No checkpoint means the bundled puppet weights, a bundled file's plain name that file; no device and no
    precision, the best there is.

    Raises:   CyberHostError: whatever the core refuses, or a device that is too small; Cancelled: Ctrl-C
    """
    # here and not above: torch takes seconds, and --help should not
    import torch

    from ..pipeline.generate import generate

    place, computed_in = chosen_place(device, dtype)

    try:
        with stop_on_signal() as is_cancelled, progress_bars(quiet=quiet) as on_progress:
            return generate(
                bundled.checkpoint(checkpoint),
                image_YXC=inputs.image_YXC,
                sound=inputs.sound,
                out_path=inputs.out,
                options=options,
                networks=networks,
                device=place,
                dtype=computed_in,
                on_notice=_say,
                on_progress=on_progress,
                is_cancelled=is_cancelled,
            )
    except torch.OutOfMemoryError as error:
        raise ConfigError(
            f"The video does not fit into the memory of '{place}'; ask 'cyberhost memory' what the system "
            "takes, and give a smaller --size, a shorter sound or --device cpu."
        ) from error


def _say(notice: str) -> None:
    print(f"cyberhost: {notice}", file=sys.stderr, flush=True)  # noqa: T201 - the command's own output


def summary(report: "GenerateReport") -> str:
    """Say in one line what was written."""
    memory = "" if report.peak_memory_mb is None else f", peak memory {report.peak_memory_mb:.0f} MB"
    return (
        f"{report.path}: {report.frames} frames in {report.seconds:.1f} s "
        f"({report.seconds_per_frame:.2f} s per frame{memory})"
    )


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Lend a function that says whether Ctrl-C (or a polite kill) came; a second one interrupts at once."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()
        # os.write, because a buffered stream may be in the middle of a write when the signal comes
        os.write(_STDERR, b"\ncyberhost: stopping after this step; press Ctrl-C again to stop at once.\n")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Callable[["Progress"], None]]:
    """Lend a function that draws one bar per stage on stderr; none if quiet, or if stderr is no terminal."""
    hidden = True if quiet else None  # None: tqdm asks whether stderr is a terminal
    bars: dict[str, tqdm] = {}

    def show(progress: "Progress") -> None:
        if progress.stage not in bars:
            _close_all(bars)
            bars[progress.stage] = tqdm(
                total=progress.total, desc=progress.stage, file=sys.stderr, disable=hidden
            )
        bar = bars[progress.stage]
        bar.update(progress.done - bar.n)

    try:
        yield show
    finally:
        _close_all(bars)


def _close_all(bars: dict[str, tqdm]) -> None:
    for bar in bars.values():
        bar.close()


def shown_losses(loop: "LoopConfig") -> Callable[[int, dict[str, float]], None]:
    """Build what a training run tells its values to: a line on stderr every 25 steps.

    Before the first, if need be, in what precision it is computed.
    """
    from ..training.precision import precision_notice

    notices = [notice] if (notice := precision_notice(loop)) else []

    def show(step: int, values: dict[str, float]) -> None:
        while notices:
            _say(notices.pop())
        if step % 25 == 0:
            line = "  ".join(f"{key} {value:.4f}" for key, value in values.items())
            print(f"{step}/{loop.steps}  {line}", file=sys.stderr, flush=True)  # noqa: T201 - the command's own output

    return show
