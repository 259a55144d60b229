"""Guidance: which passes are run and how they are summed, and methods that take a step in their own way."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import Tensor

from cyberhost_core.conditioners.motion_frames import MotionFrames
from cyberhost_core.conditioners.values import Drive, Encoded
from cyberhost_core.diffusion.noise import FrameNoise
from cyberhost_core.diffusion.schedule import SAMPLERS, NoiseSchedule, ScheduleSpec, make_scheduler
from cyberhost_core.guidance.dual import DualGuidance
from cyberhost_core.guidance.gradients import gradient
from cyberhost_core.guidance.guidance import FULL, WITHOUT_BOTH, WITHOUT_SOUND, Guidance, Pass, Rung
from cyberhost_core.guidance.interval import IntervalGuidance
from cyberhost_core.guidance.plain import PlainGuidance
from cyberhost_core.guidance.step import Step
from cyberhost_core.sampling.denoise import SamplingOptions, SolverStep
from cyberhost_core.sampling.network import GuidedNetwork, Moment
from cyberhost_core.sampling.track import Track
from cyberhost_core.sampling.video import sample_segment, sample_video
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SlidingWindowsSpec, SystemSpec

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

FRAMES = 3
WITHOUT_PICTURE = Pass("sound", frozenset({"reference"}))


class FourRungs(Guidance):
    """Scales of its own for sound alone, the portrait, and both."""

    kind: Literal["four_rungs_for_tests"] = "four_rungs_for_tests"

    def rungs(self, noise: float) -> tuple[Rung, ...]:
        middle = Rung(WITHOUT_PICTURE, 1.5), Rung(WITHOUT_SOUND, noise)
        return Rung(WITHOUT_BOTH), *middle, Rung(FULL, 3.0)


class TowardsZero(DualGuidance):
    """Correct latents so that their clean estimate becomes smaller, and then step as usual."""

    kind: Literal["towards_zero_for_tests"] = "towards_zero_for_tests"
    weight: float

    @property
    def own_steps(self) -> bool:
        return True

    def advance(self, x_FCHW: Tensor, step: Step) -> Tensor:
        slope = gradient(lambda latents: size_of(step.clean(latents)), x_FCHW)
        return step.solve(x_FCHW - self.weight * slope)


class Hesitant(DualGuidance):
    """Try other ways first and then step as usual."""

    kind: Literal["hesitant_for_tests"] = "hesitant_for_tests"

    def advance(self, x_FCHW: Tensor, step: Step) -> Tensor:
        step.solve(x_FCHW + 1)
        step.clean(x_FCHW - 1)
        step.solve(-x_FCHW)
        return step.solve(x_FCHW)


def size_of(latents: Tensor) -> Tensor:
    return latents.pow(2).mean()


def predictions(*passes: Pass) -> dict[Pass, Tensor]:
    generator = torch.Generator().manual_seed(7)
    return {seen: torch.randn(2, 4, generator=generator, dtype=torch.float64) for seen in passes}


@pytest.mark.parametrize("noise", [0.1, 0.9])
def test_a_guidance_is_the_sum_of_the_differences_of_its_rungs(noise: float) -> None:
    guidance = FourRungs()
    e = predictions(*(rung.seen for rung in guidance.rungs(noise)))
    expected = (
        e[WITHOUT_BOTH]
        + 1.5 * (e[WITHOUT_PICTURE] - e[WITHOUT_BOTH])
        + noise * (e[WITHOUT_SOUND] - e[WITHOUT_PICTURE])
        + 3.0 * (e[FULL] - e[WITHOUT_SOUND])
    )
    torch.testing.assert_close(guidance.combine(e, noise), expected)


@pytest.mark.parametrize(
    "guidance",
    [PlainGuidance(scale=3.5), DualGuidance(), DualGuidance(reference_scale=1, audio_scale=7), FourRungs()],
    ids=lambda guidance: guidance.kind,
)
def test_weights_add_up_to_one_so_that_passes_that_agree_are_left_as_they_are(guidance: Guidance) -> None:
    assert sum(guidance.weights(0.5).values()) == pytest.approx(1)


def test_plain_guidance_goes_from_nothing_to_everything_by_one_scale() -> None:
    e = predictions(WITHOUT_BOTH, FULL)
    expected = e[WITHOUT_BOTH] + 2.5 * (e[FULL] - e[WITHOUT_BOTH])
    torch.testing.assert_close(PlainGuidance(scale=2.5).combine(e, 0.5), expected)


@pytest.mark.parametrize("scale", [0.5, 2.5])
def test_plain_guidance_is_dual_guidance_with_one_scale_for_both(scale: float) -> None:
    dual = DualGuidance(reference_scale=scale, audio_scale=scale)
    assert PlainGuidance(scale=scale).weights() == dual.weights()


def test_passes_that_weigh_nothing_are_not_listed() -> None:
    assert PlainGuidance(scale=1).weights() == {FULL: 1}
    assert PlainGuidance(scale=0).weights() == {WITHOUT_BOTH: 1}
    assert DualGuidance(reference_scale=2, audio_scale=0).weights() == {WITHOUT_BOTH: -1, WITHOUT_SOUND: 2}
    assert DualGuidance(reference_scale=1, audio_scale=3).weights() == {WITHOUT_SOUND: -2, FULL: 3}


def test_chosen_scales_replace_those_of_the_system_and_none_keeps_them() -> None:
    dual = DualGuidance(reference_scale=2, audio_scale=3)
    assert dual.with_scales(reference=None, audio=None) == dual
    assert dual.with_scales(reference=5, audio=None) == DualGuidance(reference_scale=5, audio_scale=3)
    assert dual.with_scales(reference=None, audio=0) == DualGuidance(reference_scale=2, audio_scale=0)
    plain = PlainGuidance(scale=2)
    assert plain.with_scales(reference=None, audio=None) == plain
    assert plain.with_scales(reference=5, audio=4) == PlainGuidance(scale=4)
    assert plain.with_scales(reference=5, audio=None) == PlainGuidance(scale=5)
    within = IntervalGuidance(within=dual, lowest=0.2)
    assert within.with_scales(reference=5, audio=None).within == dual.with_scales(reference=5, audio=None)


@pytest.mark.parametrize(
    ("noise", "holds"), [(0.0, False), (0.2, False), (0.21, True), (0.8, True), (0.81, False), (1.0, False)]
)
def test_an_interval_holds_above_its_lowest_noise_up_to_its_highest(noise: float, holds: bool) -> None:
    guidance = IntervalGuidance(within=DualGuidance(), lowest=0.2, highest=0.8)
    assert guidance.weights(noise) == (DualGuidance().weights(noise) if holds else {FULL: 1})


@pytest.mark.parametrize("guidance", [PlainGuidance(scale=2), IntervalGuidance(within=PlainGuidance())])
def test_a_systems_guidance_survives_json(guidance: Guidance, small_spec: SystemSpec) -> None:
    spec = small_spec.derive(guidance=guidance)
    assert SystemSpec.parse(spec.to_json()) == spec


@pytest.fixture
def model(small_spec: SystemSpec, build: Callable) -> SystemModel:
    return build(small_spec)


@pytest.fixture
def reference(model: SystemModel, clips: Callable) -> Encoded:
    return clips(model, count=1).read()


@pytest.fixture
def drive(model: SystemModel, clips: Callable) -> Drive:
    return clips(model, count=1, frames=FRAMES).driven()


@pytest.fixture
def rows(model: SystemModel) -> list[int]:
    """How many pictures every run of the denoiser saw."""
    seen: list[int] = []
    model.denoiser.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    return seen


def noise() -> Tensor:
    return FrameNoise(0, (4, 4, 3))(range(FRAMES))


def moment(number: float) -> Moment:
    return Moment(torch.tensor(500), 0, number)


def test_outside_its_interval_exactly_the_full_pass_is_run_and_is_the_prediction(
    model: SystemModel, reference: Encoded, drive: Drive, rows: list[int]
) -> None:
    guidance = IntervalGuidance(within=DualGuidance(), lowest=0.2, highest=0.8)
    network = GuidedNetwork(model, reference, drive, guidance)
    for level in (0.1, 0.9):
        found = network(noise(), moment(level))
        assert rows.pop() == FRAMES
        plain = model.denoiser(noise(), torch.tensor([500.0]), model.conditions(reference, drive))
        assert torch.equal(found, plain)


def test_inside_its_interval_a_guidance_is_the_inner_one(
    model: SystemModel, reference: Encoded, drive: Drive, rows: list[int]
) -> None:
    guidance = IntervalGuidance(within=DualGuidance(), lowest=0.2, highest=0.8)
    found = GuidedNetwork(model, reference, drive, guidance)(noise(), moment(0.5))
    assert rows.pop() == 3 * FRAMES
    inner = GuidedNetwork(model, reference, drive, DualGuidance())(noise(), moment(0.5))
    assert torch.equal(found, inner)


def test_an_interval_runs_more_passes_only_in_the_steps_that_it_holds(
    model: SystemModel, reference: Encoded, drive: Drive, rows: list[int]
) -> None:
    schedule = model.spec.schedule.derive(steps=4)
    guidance = IntervalGuidance(within=DualGuidance(), lowest=0.3, highest=0.95)
    sampled(model, reference, drive, guidance, schedule=schedule)
    scheduler = make_scheduler(schedule)
    scheduler.set_timesteps(4)
    levels = [float(NoiseSchedule(schedule).sigma[timestep]) for timestep in scheduler.timesteps]
    assert rows == [FRAMES * (3 if 0.3 < level <= 0.95 else 1) for level in levels]
    assert set(rows) == {FRAMES, 3 * FRAMES}


def test_an_interval_takes_the_inner_methods_own_steps_only_where_it_holds(
    model: SystemModel, reference: Encoded, drive: Drive
) -> None:
    inner = TowardsZero(weight=0.5)
    never = IntervalGuidance(within=inner, lowest=1.0)
    always = IntervalGuidance(within=inner)
    assert never.own_steps
    assert not IntervalGuidance(within=DualGuidance()).own_steps
    plain = DualGuidance(reference_scale=1, audio_scale=1)
    assert torch.equal(sampled(model, reference, drive, never), sampled(model, reference, drive, plain))
    assert torch.equal(sampled(model, reference, drive, always), sampled(model, reference, drive, inner))


def sampled(
    model: SystemModel,
    reference: Encoded,
    drive: Drive,
    guidance: Guidance,
    *,
    schedule: ScheduleSpec | None = None,
) -> Tensor:
    options = SamplingOptions(schedule=schedule or model.spec.schedule, guidance=guidance)
    return sample_segment(model, reference, drive, noise(), options, on_step=lambda _done, _total: None)


def first_step(
    model: SystemModel, reference: Encoded, drive: Drive, *, sampler: str = "ddim", steps: int = 2
) -> tuple[SolverStep, Tensor]:
    """Give the first step of a sampler, and latents at its noise level."""
    schedule = model.spec.schedule.derive(sampler=sampler, steps=steps, zero_snr=False)
    scheduler = make_scheduler(schedule)
    scheduler.set_timesteps(steps)
    levels, timestep = NoiseSchedule(schedule), scheduler.timesteps[0]
    now = Moment(timestep, 0, float(levels.sigma[timestep.long()]))
    network = GuidedNetwork(model, reference, drive, DualGuidance())
    step = SolverStep(scheduler, network, levels, moment=now, count=steps)
    dtype = model.denoiser.conv_in.weight.dtype
    return step, noise().to(dtype) * scheduler.init_noise_sigma


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_gradient_through_a_step_is_the_slope_of_what_it_measures(
    sampler: str, model: SystemModel, reference: Encoded, drive: Drive
) -> None:
    """Compared with a difference of two runs in double precision, along the gradient and another way."""
    step, x = first_step(model.double(), reference, drive, sampler=sampler)
    with torch.no_grad():  # as samplers run
        slope = gradient(lambda latents: size_of(step.clean(latents)), x)
        assert slope.shape == x.shape
        assert torch.isfinite(slope).all()
        assert float(slope.norm()) > 1e-3
        other = torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=x.dtype)
        for way in (slope / slope.norm(), other / other.norm()):
            ahead, behind = (size_of(step.clean(x + h * way)) for h in (1e-3, -1e-3))
            found = float((ahead - behind) / 2e-3)
            assert float((slope * way).sum()) == pytest.approx(found, rel=1e-3, abs=1e-5)


def test_a_gradient_can_be_taken_in_inference_mode_and_leaves_it_on(
    model: SystemModel, reference: Encoded, drive: Drive
) -> None:
    step, x = first_step(model, reference, drive)
    expected = gradient(lambda latents: size_of(step.clean(latents)), x)
    with torch.inference_mode():
        found = gradient(lambda latents: size_of(step.clean(latents)), x.clone())
        assert torch.is_inference_mode_enabled()
    assert torch.equal(found, expected)
    assert not found.requires_grad


def test_a_correction_along_the_gradient_lowers_what_it_measures(
    model: SystemModel, reference: Encoded, drive: Drive
) -> None:
    step, x = first_step(model, reference, drive)
    with torch.no_grad():
        slope = gradient(lambda latents: size_of(step.clean(latents)), x)
        corrected = x - 0.1 * slope / slope.norm()
        assert size_of(step.clean(corrected)) < size_of(step.clean(x))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_correction_of_weight_zero_changes_no_bit_and_another_does(
    sampler: str, model: SystemModel, reference: Encoded, drive: Drive
) -> None:
    schedule = model.spec.schedule.derive(sampler=sampler, steps=3)
    plain = sampled(model, reference, drive, DualGuidance(), schedule=schedule)
    nothing = sampled(model, reference, drive, TowardsZero(weight=0), schedule=schedule)
    something = sampled(model, reference, drive, TowardsZero(weight=5), schedule=schedule)
    assert torch.equal(nothing, plain)
    assert torch.isfinite(something).all()
    assert not torch.allclose(something, plain, atol=1e-3)


def test_a_correction_reaches_sliding_windows_too(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    windows = SlidingWindowsSpec(frames=3, overlap=1)
    model = build(small_spec.without(MotionFrames).derive(long_video=windows))
    told = clips(model, count=1, frames=5)
    track = Track(frames=5, values={name: value[0] for name, value in told.drive.items()})

    def film(guidance: Guidance) -> Tensor:
        options = SamplingOptions(schedule=model.spec.schedule, guidance=guidance)
        (whole,) = sample_video(model, told.read(), track, options, on_step=lambda _done, _total: None)
        return whole

    plain = film(DualGuidance())
    assert torch.equal(film(TowardsZero(weight=0)), plain)
    assert not torch.allclose(film(TowardsZero(weight=5)), plain, atol=1e-3)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_step_that_is_tried_several_times_is_the_step_taken_once(
    sampler: str, model: SystemModel, reference: Encoded, drive: Drive
) -> None:
    """Solvers of several steps remember: each try starts from what they knew when the step began."""
    schedule = model.spec.schedule.derive(sampler=sampler, steps=4)
    once = sampled(model, reference, drive, DualGuidance(), schedule=schedule)
    assert torch.equal(sampled(model, reference, drive, Hesitant(), schedule=schedule), once)


def test_the_clean_estimate_is_where_the_last_step_ends(
    model: SystemModel, reference: Encoded, drive: Drive
) -> None:
    step, x = first_step(model, reference, drive, steps=1)
    torch.testing.assert_close(step.clean(x), step.solve(x), atol=1e-5, rtol=1e-4)
