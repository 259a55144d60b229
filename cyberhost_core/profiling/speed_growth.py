"""How sampling grows: the same run with more frames, with larger pictures, with more steps.

The weights are random, since time does not depend on what they know, and no checkpoint is of two sizes.
"""

from dataclasses import dataclass

import torch

from ..conditioners.values import NOTHING, Encoded
from ..sampling.denoise import SamplingOptions
from ..sampling.track import Track
from ..sampling.video import sample_video
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from .random_inputs import RandomInputs, Size
from .timing import SpeedRow, median_seconds

SHORT_STEPS = 4  # enough to time a step, and little to wait for


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Say along what to grow, each alone.

    Units:    segments: length of the video; sizes: sides of the picture as multiples of the system's own;
              steps: denoising steps
    """

    segments: tuple[int, ...] = (1, 2, 4)
    sizes: tuple[int, ...] = (1, 2)
    steps: tuple[int, ...] = (5, 10, 20)


def growth_rows(spec: SystemSpec, *, growth: Growth, repeats: int) -> list[SpeedRow]:
    """Time sampling alone while one thing grows; one row per run."""
    kept, sizes = spec.long_video.kept, [(spec.height * times, spec.width * times) for times in growth.sizes]
    runs = [(f"{count * kept} frames", spec, count, SHORT_STEPS) for count in growth.segments]
    runs += [(f"{y} x {x}", spec.derive(height=y, width=x), 1, SHORT_STEPS) for y, x in sizes]
    runs += [(f"{steps} steps", spec, 1, steps) for steps in growth.steps]
    return [
        _row(grown, one, frames=segments * kept, steps=steps, repeats=repeats)
        for grown, one, segments, steps in runs
    ]


def sampling_options(spec: SystemSpec, *, steps: int) -> SamplingOptions:
    """Sample as the system does, in so many steps."""
    return SamplingOptions(schedule=spec.schedule.derive(steps=steps), guidance=spec.guidance)


def sample_all(model: SystemModel, reference: Encoded, *, track: Track, options: SamplingOptions) -> None:
    """Sample a whole track and throw the latents away."""
    for _ in sample_video(model, reference, track, options, on_step=lambda _done, _total: None):
        pass


def _row(grown: str, spec: SystemSpec, *, frames: int, steps: int, repeats: int) -> SpeedRow:
    seconds = _random_run(spec, frames=frames, steps=steps, repeats=repeats)
    return SpeedRow(
        name=f"growth_{grown.replace(' ', '_')}",
        label=f"sampling, {grown}",
        seconds=seconds,
        unit="run",
        comment=(
            f"{seconds / frames:.4f} per frame: {frames} frames, {steps} steps, "
            f"{spec.height} x {spec.width}, random weights"
        ),
    )


def _random_run(spec: SystemSpec, *, frames: int, steps: int, repeats: int) -> float:
    model = SystemModel(spec).eval().requires_grad_(False)
    inputs = RandomInputs(spec=spec, size=Size.of(spec), device=torch.device("cpu"), dtype=torch.float32)
    with torch.no_grad():
        reference = inputs.reference(model)
    still = {name: value[0, :1] for name, value in inputs.drive(NOTHING).values.items()}
    track = Track(frames=frames, values=still)
    options = sampling_options(spec, steps=steps)
    return median_seconds(lambda: sample_all(model, reference, track=track, options=options), repeats=repeats)
