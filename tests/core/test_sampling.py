"""Sampling: exact length, noise that belongs to the frame, passes that are not run, segments that join."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from cyberhost_core.backbone.conditions import Conditions
from cyberhost_core.conditioners.values import Drive, Encoded, Missing
from cyberhost_core.diffusion.noise import FrameNoise
from cyberhost_core.diffusion.schedule import SAMPLERS, ScheduleSpec, make_scheduler
from cyberhost_core.errors import Cancelled
from cyberhost_core.guidance.dual import DualGuidance
from cyberhost_core.guidance.guidance import Guidance
from cyberhost_core.sampling.denoise import SamplingOptions
from cyberhost_core.sampling.track import Track
from cyberhost_core.sampling.video import sample_segment, sample_video
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import LongVideoSpec, SystemSpec

Film = Callable[..., torch.Tensor]
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")


@pytest.fixture
def model(small_spec: SystemSpec, build: Callable) -> SystemModel:
    return build(small_spec)


@pytest.fixture
def reference(model: SystemModel, clips: Callable) -> Encoded:
    return clips(model, count=1).read()


def track(frames: int, *, moving: bool = False) -> Track:
    generator = torch.Generator().manual_seed(frames)
    return Track(
        frames=frames,
        values={
            "audio": torch.randn(frames, 5, 6, generator=generator),
            "maps": torch.rand(frames if moving else 1, 3, 32, 24, generator=generator),
            "clarity": torch.ones(1, 4),
        },
    )


def options(spec: SystemSpec, *, seed: int = 0, guidance: Guidance | None = None) -> SamplingOptions:
    return SamplingOptions(schedule=spec.schedule, guidance=guidance or DualGuidance(), seed=seed)


def ignore(done: int, steps: int) -> None:
    pass


@pytest.fixture
def film(model: SystemModel, reference: Encoded) -> Film:
    def film(frames: int, *, moving: bool = False, **chosen: object) -> torch.Tensor:
        told = options(model.spec, **chosen)
        return torch.cat(
            list(sample_video(model, reference, track(frames, moving=moving), told, on_step=ignore))
        )

    return film


@pytest.mark.parametrize("frames", [1, 9, 10, 11, 25])
@pytest.mark.parametrize("moving", [False, True])
def test_a_video_has_exactly_the_frames_of_its_track(frames: int, moving: bool, film: Film) -> None:
    latents = film(frames, moving=moving)
    assert latents.shape == (frames, 4, 4, 3)
    assert torch.isfinite(latents).all()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(film: Film) -> None:
    assert torch.equal(film(11, seed=3), film(11, seed=3))
    assert not torch.allclose(film(11, seed=3), film(11, seed=4), atol=1e-2)


def test_a_longer_sound_changes_nothing_in_the_first_segment(model: SystemModel, reference: Encoded) -> None:
    sound = track(25)
    shorter = sound.first(12)
    first, same = (
        next(sample_video(model, reference, told, options(model.spec), on_step=ignore))
        for told in (sound, shorter)
    )
    assert torch.equal(first, same)


def test_stopping_in_a_step_ends_the_sampling_there(model: SystemModel, reference: Encoded) -> None:
    seen: list[tuple[int, int]] = []

    def stop_at_the_third(done: int, steps: int) -> None:
        seen.append((done, steps))
        if len(seen) == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        list(sample_video(model, reference, track(25), options(model.spec), on_step=stop_at_the_third))
    assert len(seen) == 3


def test_progress_counts_the_steps_of_all_segments(model: SystemModel, reference: Encoded) -> None:
    seen: list[tuple[int, int]] = []
    told = options(model.spec)
    list(sample_video(model, reference, track(25), told, on_step=lambda *step: seen.append(step)))
    assert {steps for _, steps in seen} == {3 * 2}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert (seen[0][0], seen[-1][0]) == (0, 6)


@pytest.mark.parametrize(
    ("guidance", "passes"),
    [
        (DualGuidance(reference_scale=2.5, audio_scale=4.5), 3),
        (DualGuidance(reference_scale=1.0, audio_scale=4.5), 2),
        (DualGuidance(reference_scale=2.0, audio_scale=2.0), 2),
        (DualGuidance(reference_scale=2.0, audio_scale=0.0), 2),
        (DualGuidance(reference_scale=1.0, audio_scale=1.0), 1),
        (DualGuidance(reference_scale=1.0, audio_scale=0.0), 1),
    ],
)
def test_a_pass_of_weight_zero_is_not_run(
    guidance: Guidance, passes: int, model: SystemModel, film: Film
) -> None:
    rows: list[int] = []
    model.denoiser.register_forward_pre_hook(lambda *call: rows.append(len(call[1][0])))
    film(10, guidance=guidance)
    assert rows == [passes * model.spec.long_video.frames] * model.spec.schedule.steps


def test_scales_of_one_are_the_plain_prediction_of_the_full_pass(
    model: SystemModel, reference: Encoded
) -> None:
    spec, sound = model.spec, track(12)
    noise = FrameNoise(0, (4, 4, 3))(range(12))
    told = options(spec, guidance=DualGuidance(reference_scale=1.0, audio_scale=1.0))
    found = sample_segment(model, reference, sound.of(range(12)), noise, told, on_step=ignore)
    scheduler = make_scheduler(spec.schedule)
    scheduler.set_timesteps(spec.schedule.steps)
    conditions, x = model.conditions(reference, sound.of(range(12))), noise
    for timestep in scheduler.timesteps:
        x = scheduler.step(model.denoiser(x, timestep.float().expand(1), conditions), timestep, x).prev_sample
    torch.testing.assert_close(found, x, atol=1e-5, rtol=1e-5)


def test_frames_that_two_segments_make_start_from_the_same_noise(
    model: SystemModel, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[torch.Tensor] = []

    def segment(*parts: Any, **_: object) -> torch.Tensor:
        given.append(parts[3])
        return parts[3]

    monkeypatch.setattr("cyberhost_core.sampling.video.sample_segment", segment)
    film(25, seed=5)
    assert torch.equal(given[0], FrameNoise(5, (4, 4, 3))(range(12)))
    assert torch.equal(given[1][:2], given[0][10:])
    assert torch.equal(given[2][:2], given[1][10:])


def test_a_pinned_frame_opens_the_next_segment_unchanged_and_is_not_written_twice(
    model: SystemModel, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = model.spec.derive(long_video=model.spec.long_video.derive(kept=10, pinned=2))
    monkeypatch.setattr(model, "spec", spec)
    opened: list[torch.Tensor] = []
    sample = sample_segment

    def watched(*parts: Any, pinned_PCHW: torch.Tensor, **options: Any) -> torch.Tensor:
        latents = sample(*parts, pinned_PCHW=pinned_PCHW, **options)
        opened.append(latents[: len(pinned_PCHW)])
        return latents

    monkeypatch.setattr("cyberhost_core.sampling.video.sample_segment", watched)
    whole = film(25)
    assert len(whole) == 25
    assert [len(frames) for frames in opened] == [0, 2, 2]
    assert torch.equal(opened[1], whole[8:10])
    assert torch.equal(opened[2], whole[18:20])


def test_a_segment_cannot_keep_and_pin_more_frames_than_it_has() -> None:
    with pytest.raises(ValueError, match="exceed the 12 frames"):
        LongVideoSpec(kept=11, pinned=2)


def test_passes_drop_reference_and_sound_and_keep_everything_else(
    model: SystemModel, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appendix E: null hears and sees nothing, reference is silent; maps, clarity and motion frames stay."""
    told: list[tuple[bool, bool, bool, bool, bool]] = []
    conditions = model.conditions

    def watched(reference: Encoded, drive: Drive, *, missing: Missing) -> Conditions:
        found = conditions(reference, drive, missing=missing)
        silence = model.audio_projection(torch.zeros_like(drive["audio"].flatten(0, 1)))
        kept = (bool(found.map_NCHW.any()), bool(found.time_NE.any()), bool(found.motion))
        told.append((found.reference_rows[0], not torch.equal(found.audio_NWD, silence), *kept))
        return found

    monkeypatch.setattr(model, "conditions", watched)
    film(11)
    for segment, motion in ((told[:3], False), (told[3:], True)):
        assert segment == [
            (False, False, True, True, motion),
            (True, False, True, True, motion),
            (True, True, True, True, motion),
        ]


def test_a_segment_leans_on_the_last_kept_frames_of_the_one_before(film: Film, model: SystemModel) -> None:
    given: list[torch.Tensor] = []
    follow = model.follow
    model.follow = lambda latents, reference: given.append(latents) or follow(latents, reference)
    latents = film(25)
    assert torch.equal(given[0][0], latents[6:10])
    assert torch.equal(given[1][0], latents[16:20])


def test_beyond_its_end_a_track_holds_its_last_frame() -> None:
    told = track(5, moving=True)
    drive = told.of(range(3, 7))
    assert drive.frames == 4
    assert torch.equal(drive["audio"][0], told.values["audio"][[3, 4, 4, 4]])
    assert torch.equal(drive["maps"][0], told.values["maps"][[3, 4, 4, 4]])
    assert track(5).of(range(3, 7))["maps"].shape == (1, 1, 3, 32, 24)


@pytest.mark.parametrize("prediction", ["sample", "v_prediction"])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("beta_schedule", ["scaled_linear", "squaredcos_cap_v2"])
def test_every_sampler_runs_every_schedule_with_zero_terminal_snr(
    prediction: str, sampler: str, beta_schedule: str, model: SystemModel, reference: Encoded
) -> None:
    spec = ScheduleSpec(
        prediction=prediction, sampler=sampler, beta_schedule=beta_schedule, zero_snr=True, steps=3
    )
    noise = FrameNoise(0, (4, 4, 3))(range(12))
    told = SamplingOptions(schedule=spec, guidance=DualGuidance())
    out = sample_segment(model, reference, track(12).of(range(12)), noise, told, on_step=ignore)
    assert torch.isfinite(out).all()
