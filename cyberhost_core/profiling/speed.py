"""Speed: where the seconds of a video go, and how sampling grows with frames, picture size and steps.

portrait -> pose, reference      voice -> speech      segments x steps -> sampling      decode      write
each timed alone, then summed per frame; then sampling again, larger (speed_growth)
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from .. import bundled
from ..backbone.vae import DECODE_CHUNK
from ..media.audio import read_sound
from ..media.images import read_image
from ..media.video import VideoWriter
from ..pipeline.generate import Progress
from ..pipeline.options import GenerateOptions, Networks
from ..pipeline.talker import Talker
from ..reports.machine import describe_machine, peak_memory_mb
from ..reports.tables import aligned
from .speed_growth import SHORT_STEPS, Growth, growth_rows, sample_all, sampling_options
from .timing import SpeedRow, median_seconds


@dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """Say what to time.

    Units:    repeats: runs per time, the median counts
    """

    repeats: int = 3
    growth: Growth = field(default_factory=Growth)


@dataclass(frozen=True, kw_only=True)
class SpeedReport:
    """Hold all times of a run, and what they were measured on."""

    title: str
    machine: str
    rows: list[SpeedRow]
    peak_memory_mb: float | None

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Write as an aligned table of plain text."""
        cells = [("stage", "seconds", "per", "note")]
        cells += [(row.label, f"{row.seconds:.4f}", row.unit, row.comment) for row in self.rows]
        memory = [] if self.peak_memory_mb is None else ["", f"peak memory {self.peak_memory_mb:.0f} MB"]
        return "\n".join([self.title, self.machine, "", *aligned(cells, left=(0, 2, 3)), *memory])


def measure_speed(
    checkpoint_path: Path,
    *,
    config: SpeedConfig,
    pose_detector_path: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> SpeedReport:
    """Time every stage of a checkpoint with the first bundled portrait and voice.

    Raises:   CheckpointError: the file cannot be used, or a bundled file is missing
    """
    talker = Talker.load(checkpoint_path, networks=Networks(pose_detector=pose_detector_path))
    show = on_progress or (lambda _progress: None)
    show(Progress("time", 0, 2))
    rows = stage_rows(talker, repeats=config.repeats)
    show(Progress("time", 1, 2))
    rows += growth_rows(talker.spec, growth=config.growth, repeats=config.repeats)
    show(Progress("time", 2, 2))
    return SpeedReport(
        title=f"Speed of {checkpoint_path}",
        machine=describe_machine(),
        rows=rows,
        peak_memory_mb=peak_memory_mb(),
    )


def stage_rows(talker: Talker, *, repeats: int) -> list[SpeedRow]:
    """Time the stages of a real run on one segment, and sum them up per frame.

    The sum leaves out what a video needs only once: picture and pose.
    """
    spec, kept = talker.spec, talker.spec.long_video.kept
    image, sound, options = (
        read_image(bundled.portraits()[0]),
        read_sound(bundled.speech()[0]),
        GenerateOptions(),
    )
    portrait = talker.portrait(image)
    reference = talker.reference(portrait)
    track = talker.track(sound, portrait, options)
    segment = track.first(kept)
    sampling = sampling_options(spec, steps=SHORT_STEPS)
    latents = torch.zeros(DECODE_CHUNK, spec.unet.latent_channels, spec.height // 8, spec.width // 8)
    frames = talker.decode(latents)

    def sample() -> None:
        sample_all(talker.model, reference, track=segment, options=sampling)

    def seconds(run: Callable[[], object]) -> float:
        return median_seconds(run, repeats=repeats)

    once = seconds(lambda: talker.reference(talker.portrait(image)))
    speech = seconds(lambda: talker.track(sound, portrait, options)) / len(track)
    step = seconds(sample) / SHORT_STEPS
    decode = seconds(lambda: talker.decode(latents)) / DECODE_CHUNK
    write = seconds(lambda: _write(frames)) / DECODE_CHUNK
    whole = speech + step * spec.schedule.steps / kept + decode + write

    passes = len(sampling.guidance.weights())
    work = f"{spec.long_video.frames} frames, {kept} of them kept; {passes} guidance passes"
    return [
        _row("prepare", "pose and reference", once, "video", f"one picture of {spec.height} x {spec.width}"),
        _row("speech", "speech features", speech, "frame"),
        _row("step", "sampling", step, "step of a segment", work),
        _row("decode", "decode", decode, "frame"),
        _row("write", "write", write, "frame", "H.264"),
        _row(
            "whole",
            "all of it",
            whole,
            "frame",
            f"in {spec.schedule.steps} steps; without pose and reference",
        ),
    ]


def _row(name: str, label: str, seconds: float, unit: str, comment: str = "") -> SpeedRow:  # noqa: PLR0917
    return SpeedRow(name=name, label=label, seconds=seconds, unit=unit, comment=comment)


def _write(frames_FYXC: np.ndarray) -> None:
    height, width = frames_FYXC.shape[1:3]
    with (
        tempfile.TemporaryDirectory() as folder,
        VideoWriter(Path(folder) / "speed.mp4", fps=25, height=height, width=width) as writer,
    ):
        writer.write(frames_FYXC)
