"""How fast one segment of a system is made at full size: stage by stage, on a device, in a precision.

picture -> reference      motion frames, sound, map -> conditions      steps -> sampling      decode

Whose weights they are does not change the time, so random ones serve where a system has no file yet.
"""

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoints.autoencoders import Autoencoder
from ..checkpoints.file import load_checkpoint
from ..pipeline.generate import Progress
from ..reports.machine import describe_machine, peak_memory_mb
from ..reports.tables import aligned
from ..sampling.denoise import SamplingOptions, denoise
from ..sampling.network import GuidedNetwork
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from .device_clock import DeviceClock, describe_device, too_large_in_words
from .random_inputs import RandomInputs, Size
from .random_model import random_model

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
REFERENCE, CONDITIONS, SAMPLING, DECODE = (
    "reference picture",
    "motion frames, sound, map",
    "sampling",
    "decode",
)
_WARM_UP_STEPS = 2  # the first steps pay for the choice of kernels, and for memory


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    """Say what to time, and how.

    Units:    decoded_frames: at once; repeats: runs that count, of each stage the median
    """

    size: Size
    device: torch.device
    steps: int
    decoded_frames: int = 1
    repeats: int = 1


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """Hold one stage; peak_mib: the most that tensors took on the device, weights included; None on a CPU."""

    dtype: str
    stage: str
    seconds: float
    peak_mib: float | None


@dataclass(frozen=True, kw_only=True)
class SegmentReport:
    """Hold all stages in all precisions.

    Units:    frames_per_second: without the reference picture, which a video needs once; process_peak_mib: of
              the host's memory
    """

    title: str
    machine: str
    rows: list[StageRow]
    frames_per_second: dict[str, float]
    process_peak_mib: float | None

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Write as an aligned table of plain text."""
        cells = [("precision", "stage", "seconds", "peak MiB")]
        cells += [
            (row.dtype, row.stage, f"{row.seconds:.3f}", _whole(row.peak_mib) or "-") for row in self.rows
        ]
        lines = [self.title, self.machine, "", *aligned(cells, left=(0, 1)), ""]
        lines += [
            f"{dtype}: {speed:.3f} frames per second, without the reference picture"
            for dtype, speed in self.frames_per_second.items()
        ]
        peak = _whole(self.process_peak_mib)
        return "\n".join([*lines, *([f"peak memory of the process {peak} MiB"] if peak else [])])


def measure_segment(
    spec: SystemSpec,
    autoencoder: Autoencoder,
    *,
    config: SegmentConfig,
    dtypes: Mapping[str, torch.dtype],
    checkpoint_path: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> SegmentReport:
    """Make one segment in each precision; the system's weights are the file's, or random without one.

    Raises:   ConfigError: the device's memory is too small
              CheckpointError: the file cannot be used
    """
    show = on_progress or (lambda _progress: None)
    rows: list[StageRow] = []
    speeds: dict[str, float] = {}
    for done, (name, dtype) in enumerate(dtypes.items()):
        show(Progress("time", done, len(dtypes)))
        with too_large_in_words(config.device):
            model = _model(spec, checkpoint_path, dtype=dtype, device=config.device)
            clock = _timed(model, autoencoder, config, dtype=dtype)
        del model
        stages = {stage: statistics.median(runs) for stage, runs in clock.seconds.items()}
        rows += [
            StageRow(dtype=name, stage=stage, seconds=seconds, peak_mib=clock.peak_mib(stage))
            for stage, seconds in stages.items()
        ]
        speeds[name] = config.size.frames / (sum(stages.values()) - stages[REFERENCE])
    show(Progress("time", len(dtypes), len(dtypes)))
    return SegmentReport(
        title=_title(spec, config, checkpoint_path),
        machine=f"{describe_device(config.device)}{describe_machine()}",
        rows=rows,
        frames_per_second=speeds,
        process_peak_mib=peak_memory_mb(),
    )


def _title(spec: SystemSpec, config: SegmentConfig, checkpoint_path: Path | None) -> str:
    size, passes = config.size, len(spec.guidance.weights())
    return (
        f"One segment of {spec.name}, {size.height} x {size.width} x {size.frames} frames, {config.steps} "
        f"steps of {passes} guidance passes, {checkpoint_path or 'random weights'}"
    )


def _model(spec: SystemSpec, path: Path | None, *, dtype: torch.dtype, device: torch.device) -> SystemModel:
    if path is None:
        return random_model(spec, dtype=dtype, device=device)
    return load_checkpoint(path, dtype=dtype).model.to(device)


def _timed(
    model: SystemModel, autoencoder: Autoencoder, config: SegmentConfig, *, dtype: torch.dtype
) -> DeviceClock:
    """Make a short segment to warm up, then as many as count."""
    network = autoencoder.build().to(config.device, dtype).eval().requires_grad_(False)

    def decode(latents_FCHW: Tensor) -> None:
        for chunk in latents_FCHW.to(dtype).split(config.decoded_frames):
            autoencoder.decode(network, chunk)

    inputs = RandomInputs(spec=model.spec, size=config.size, device=config.device, dtype=dtype)
    _make(model, inputs, decode, steps=min(_WARM_UP_STEPS, config.steps), clock=DeviceClock(config.device))
    clock = DeviceClock(config.device)
    for _ in range(config.repeats):
        _make(model, inputs, decode, steps=config.steps, clock=clock)
    return clock


@torch.inference_mode()
def _make(
    model: SystemModel,
    inputs: RandomInputs,
    decode: Callable[[Tensor], None],
    *,
    steps: int,
    clock: DeviceClock,
) -> None:
    guidance = model.spec.guidance

    def guided() -> GuidedNetwork:
        drive = inputs.drive(inputs.motion(model, reference))
        network = GuidedNetwork(model, reference, drive, guidance)
        network.conditions(tuple(guidance.weights()))
        return network

    def sample() -> Tensor:
        noise = inputs.latents(inputs.size.frames).float()
        options = SamplingOptions(schedule=model.spec.schedule.derive(steps=steps), guidance=guidance)
        return denoise(noise, network, options, on_step=lambda _done, _steps: None)

    reference = clock.time(REFERENCE, lambda: inputs.reference(model))
    network = clock.time(CONDITIONS, guided)
    latents = clock.time(SAMPLING, sample)
    clock.time(DECODE, lambda: decode(latents))


def _whole(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"
