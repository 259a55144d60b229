"""Sliding windows: equal to a loop over windows and passes; one window is one segment."""

from collections.abc import Callable

import pytest
import torch

from cyberhost_core.conditioners.drawn_maps import DrawnMaps
from cyberhost_core.conditioners.motion_frames import MotionFrames
from cyberhost_core.conditioners.values import Encoded
from cyberhost_core.diffusion.noise import FrameNoise
from cyberhost_core.diffusion.schedule import make_scheduler
from cyberhost_core.guidance.dual import DualGuidance
from cyberhost_core.guidance.guidance import FULL, WITHOUT_BOTH
from cyberhost_core.sampling.denoise import SamplingOptions
from cyberhost_core.sampling.track import Track
from cyberhost_core.sampling.video import sample_segment, sample_video
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SlidingWindowsSpec, SystemSpec

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

SCALE = 2.0
LIMIT = 1.5


@pytest.fixture
def spec(small_spec: SystemSpec) -> SystemSpec:
    windows = SlidingWindowsSpec(frames=6, overlap=2, rotating=True)
    unseen = small_spec.changing(DrawnMaps, lambda maps: maps.derive(always=False))
    return unseen.without(MotionFrames).derive(long_video=windows, noise_limit=LIMIT)


@pytest.fixture
def model(spec: SystemSpec, build: Callable) -> SystemModel:
    return build(spec)


@pytest.fixture
def reference(model: SystemModel, clips: Callable) -> Encoded:
    return clips(model, count=1).read()


def track(frames: int) -> Track:
    generator = torch.Generator().manual_seed(frames)
    return Track(
        frames=frames,
        values={
            "audio": torch.randn(frames, 5, 6, generator=generator),
            "maps": torch.rand(frames, 3, 32, 24, generator=generator),
            "clarity": torch.ones(1, 4),
        },
    )


def sampled(model: SystemModel, reference: Encoded, frames: int) -> torch.Tensor:
    guidance = DualGuidance(reference_scale=SCALE, audio_scale=SCALE)
    options = SamplingOptions(schedule=model.spec.schedule, guidance=guidance, seed=3)
    pieces = sample_video(model, reference, track(frames), options, on_step=lambda _done, _steps: None)
    return torch.cat(list(pieces))


def test_every_step_is_the_mean_of_its_windows_each_guided_alone(
    model: SystemModel, reference: Encoded
) -> None:
    frames, told = 11, track(11)
    scheduler = make_scheduler(model.spec.schedule)
    scheduler.set_timesteps(model.spec.schedule.steps)
    x = FrameNoise(3, (4, 4, 3))(range(frames)).clamp(-LIMIT, LIMIT)
    for step, timestep in enumerate(scheduler.timesteps):
        total, count = torch.zeros_like(x), torch.zeros(frames)
        for start in (0, 4, 8):  # size 6, overlap 2; the last one closes the loop
            window = [(start + 2 * step + place) % frames for place in range(6)]
            drive = told.of(tuple(window))
            null, full = (
                model.denoiser(
                    x[window],
                    timestep.float().expand(1),
                    model.conditions(reference, drive, missing=(seen.without,)),
                )
                for seen in (WITHOUT_BOTH, FULL)
            )
            guided = null + SCALE * (full - null)
            for place, frame in enumerate(window):
                total[frame] += guided[place]
                count[frame] += 1
        x = scheduler.step(total / count.view(-1, 1, 1, 1), timestep, x).prev_sample
    torch.testing.assert_close(sampled(model, reference, frames), x, atol=1e-4, rtol=1e-4)


def test_a_video_of_one_window_is_one_segment(model: SystemModel, reference: Encoded) -> None:
    guidance = DualGuidance(reference_scale=SCALE, audio_scale=SCALE)
    expected = sample_segment(
        model,
        reference,
        track(6).of(range(6)),
        FrameNoise(3, (4, 4, 3))(range(6)).clamp(-LIMIT, LIMIT),
        SamplingOptions(schedule=model.spec.schedule.derive(), guidance=guidance),
        on_step=lambda _done, _steps: None,
    )
    still = model.spec.derive(long_video=SlidingWindowsSpec(frames=6, overlap=2, rotating=False))
    model.spec = still
    torch.testing.assert_close(sampled(model, reference, 6), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("frames", [1, 5, 7, 20])
def test_a_video_has_exactly_the_frames_of_its_track(
    frames: int, model: SystemModel, reference: Encoded
) -> None:
    latents = sampled(model, reference, frames)
    assert latents.shape == (frames, 4, 4, 3)
    assert torch.isfinite(latents).all()


def test_the_null_pass_sees_nothing_where_the_map_is_not_kept(model: SystemModel, reference: Encoded) -> None:
    """Nothing is added to the features; an empty map's encoding would be something, from its biases."""
    drive = track(6).of(range(6))
    null, full = (
        model.conditions(reference, drive, missing=(seen.without,)).map_NCHW for seen in (WITHOUT_BOTH, FULL)
    )
    assert null.shape == full.shape
    assert not null.any()
    assert full.any()


def test_windows_cannot_overlap_by_their_whole_length() -> None:
    with pytest.raises(ValueError, match="windows of 6 frames cannot overlap by 6"):
        SlidingWindowsSpec(frames=6, overlap=6)
