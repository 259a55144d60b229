"""Guidance by classifiers of parts, against loops written from PAHA's equations 8 to 12 and algorithm 1."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from cyberhost_core.backbone.ops import TORCH_OPS
from cyberhost_core.backbone.part_classifier import PartClassifierConfig, PartClassifiers
from cyberhost_core.config import Config
from cyberhost_core.errors import ConfigError
from cyberhost_core.guidance.dual import DualGuidance
from cyberhost_core.guidance.guidance import Guidance
from cyberhost_core.guidance.interval import IntervalGuidance
from cyberhost_core.guidance.parts import DifferentialGuidance, PartsGuidance, SequentialGuidance
from cyberhost_core.guidance.step import FACE, NON_FACE, Part
from cyberhost_core.sampling.critics import Classifiers
from cyberhost_core.sampling.denoise import SamplingOptions
from cyberhost_core.sampling.track import Track
from cyberhost_core.sampling.video import sample_segment, sample_video
from cyberhost_core.systems.spec import SlidingWindowsSpec, SystemSpec

if TYPE_CHECKING:
    from cyberhost_core.systems.model import SystemModel

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

SHAPE = (2, 3, 4, 4)
FACE_HW = torch.zeros(4, 4)
FACE_HW[:2, 1:3] = torch.tensor([[1.0, 1.0], [0.5, 1.0]])


class Toy:
    """A step whose solver, classifiers and masks are formulas."""

    def __init__(self, number: int = 2, count: int = 10, noise: float = 0.7) -> None:
        self.number, self.count, self.noise = number, count, noise
        self.solved, self.asked = [], []

    def solve(self, x: Tensor) -> Tensor:
        self.solved.append(x)
        return 0.9 * x + 0.1 * x.flip(-1).roll(1, dims=0)

    def clean(self, x: Tensor) -> Tensor:
        return x

    def misfit(self, part: Part, x: Tensor) -> Tensor:
        self.asked.append(part)
        return (x * x.roll(1, dims=0)).sum() if part == FACE else x.pow(3).sum()

    def mask(self, part: Part) -> Tensor:
        return (FACE_HW if part == FACE else 1 - FACE_HW)[None, None]


def latents(seed: int = 0) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slope_of_face(z: Tensor) -> Tensor:
    return z.roll(1, dims=0) + z.roll(-1, dims=0)


def equations_8_to_10(z: Tensor, *, face: float, non_face: float, noise: float) -> tuple[Tensor, ...]:
    """Number by number, as the paper writes them."""
    z_nf, z_f, z_star = (torch.zeros_like(z) for _ in range(3))
    indices = list(torch.cartesian_prod(*(torch.arange(size) for size in SHAPE)).tolist())
    for frame, channel, row, column in indices:
        at = (frame, channel, row, column)
        gradient = 3 * z[at] ** 2
        z_nf[at] = z[at] - non_face * noise * gradient * (1 - FACE_HW[row, column])
    slope = slope_of_face(z_nf)
    for frame, channel, row, column in indices:
        at = (frame, channel, row, column)
        z_f[at] = z[at] - face * noise * slope[at] * FACE_HW[row, column]
        z_star[at] = z_f[at] + z_nf[at] - z[at]
    return z_nf, z_f, z_star


def test_sequential_guidance_is_equations_8_to_11() -> None:
    step, z = Toy(), latents()
    found = SequentialGuidance(face_weight=0.1, non_face_weight=1.0).advance(z, step)
    *_, z_star = equations_8_to_10(z, face=0.1, non_face=1.0, noise=0.7)
    torch.testing.assert_close(found, Toy().solve(z_star))
    assert step.asked == [NON_FACE, FACE], "first the rest, then the face"
    assert len(step.solved) == 1


def test_differential_guidance_is_equation_12() -> None:
    z, solve = latents(1), Toy().solve
    z_nf, z_f, z_star = equations_8_to_10(z, face=0.2, non_face=0.5, noise=0.7)
    expected = solve(z_star) + 0.25 * (solve(z_nf) * FACE_HW + solve(z_f) * (1 - FACE_HW))
    weights = {"face_weight": 0.2, "non_face_weight": 0.5, "differential_weight": 0.25}
    step = Toy()
    literal = DifferentialGuidance(**weights, normalised=False).advance(z, step)
    torch.testing.assert_close(literal, expected)
    assert len(step.solved) == 3, "two runs of the solver more than sequential guidance"
    torch.testing.assert_close(step.solved[-1], z_star, msg="a solver's memory is of the guided latents")
    torch.testing.assert_close(DifferentialGuidance(**weights).advance(z, Toy()), expected / 1.25)


def test_equation_12_as_it_is_written_makes_latents_larger_in_every_step_normalised_it_does_not() -> None:
    weights = {"face_weight": 0, "non_face_weight": 0}
    z = latents(2)
    for normalised, size in ((False, 1.25), (True, 1.0)):
        found = DifferentialGuidance(**weights, normalised=normalised).advance(z, Toy())
        torch.testing.assert_close(found, size * Toy().solve(z))


def test_differential_guidance_of_weight_zero_is_sequential_guidance() -> None:
    z, step = latents(3), Toy()
    found = DifferentialGuidance(differential_weight=0).advance(z, step)
    torch.testing.assert_close(found, SequentialGuidance().advance(z, Toy()), rtol=0, atol=0)
    assert len(step.solved) == 1, "what weighs nothing is not run"


@pytest.mark.parametrize("method", [SequentialGuidance, DifferentialGuidance])
def test_fifteen_of_thirty_steps_are_guided_and_the_first_is_not(method: type[PartsGuidance]) -> None:
    """Appendix B.4.2, algorithm 1: the first latents that are corrected are the solver's."""
    guided = []
    for number in range(30):
        step = Toy(number, 30)
        method().advance(latents(), step)
        guided += [number] if step.asked else []
    assert guided == list(range(1, 16))


def test_guidance_on_no_step_asks_nobody() -> None:
    guidance = SequentialGuidance(guided=0)
    assert guidance.parts == ()
    for number in range(10):
        step = Toy(number)
        torch.testing.assert_close(guidance.advance(latents(), step), Toy().solve(latents()), rtol=0, atol=0)
        assert step.asked == []


@pytest.mark.parametrize(
    ("part", "weights"), [(FACE, {"non_face_weight": 0}), (NON_FACE, {"face_weight": 0})]
)
def test_a_classifier_changes_its_own_part_alone(part: Part, weights: dict[str, float]) -> None:
    z, step = latents(4), Toy()
    SequentialGuidance(**weights).advance(z, step)
    assert step.asked == [part]
    changed = (step.solved[0] - z).abs().amax(dim=(0, 1)) > 0
    assert torch.equal(changed, step.mask(part)[0, 0] > 0)


def test_it_survives_json_and_takes_the_scales_of_what_it_is_around() -> None:
    class Holder(Config):
        guidance: Guidance

    chosen = DifferentialGuidance(within=DualGuidance(reference_scale=1.5, audio_scale=2), guided=0.25)
    text = f'{{"guidance": {chosen.to_json()}}}'
    assert Holder.parse(text).guidance == chosen
    scaled = chosen.with_scales(reference=None, audio=9)
    assert scaled.within == DualGuidance(reference_scale=1.5, audio_scale=9)
    assert (scaled.weights(), scaled.passes) == (scaled.within.weights(), scaled.within.passes)
    assert IntervalGuidance(within=chosen, lowest=0.2).parts == chosen.parts == (NON_FACE, FACE)


# On a real model


@pytest.fixture(params=["own", "denoiser"])
def judged(
    request: pytest.FixtureRequest, small_spec: SystemSpec, build: Callable, clips: Callable, fill: Callable
) -> "Judged":
    return Judged(small_spec, build, clips, fill, encoder=request.param)


class Judged:
    """A small model, all that drives two segments of it, and classifiers of random weights."""

    def __init__(
        self, spec: SystemSpec, build: Callable, clips: Callable, fill: Callable, *, encoder: str
    ) -> None:
        self.model: SystemModel = build(spec)
        told = clips(self.model)
        self.reference = told.read(slice(0, 1))
        drive = told.driven(slice(0, 1))
        self.track = Track(frames=drive.frames, values={name: x[0] for name, x in drive.values.items()})
        sound = self.model.conditions(self.reference, self.track.of(range(2))).audio_NWD[0].numel()
        config = PartClassifierConfig(unet=spec.unet, sound=sound, width=16, heads=2, blocks=1)
        self.networks = PartClassifiers(config.derive(encoder=encoder), ops=TORCH_OPS)
        fill(self.networks, seed=3)
        for part in (FACE, NON_FACE) if encoder == "denoiser" else ():
            torch.nn.init.constant_(self.networks.of(part).agreement.scale, 5.0)
        self.networks.eval().requires_grad_(False)
        height, width = told.latents.shape[-2:]
        face_HW = torch.zeros(height, width)
        face_HW[:2] = 1
        self.classifiers = Classifiers(networks=self.networks, face_HW=face_HW)

    def options(self, guidance: Guidance, *, classifiers: bool = True) -> SamplingOptions:
        schedule = self.model.spec.schedule.derive(steps=4)
        return SamplingOptions(
            schedule=schedule, guidance=guidance, classifiers=self.classifiers if classifiers else None
        )

    def segment(self, options: SamplingOptions) -> Tensor:
        noise = torch.randn(
            self.track.frames,
            *self.reference["latents"].shape[1:],
            generator=torch.Generator().manual_seed(5),
        )
        drive = self.track.of(range(self.track.frames))
        return sample_segment(
            self.model, self.reference, drive, noise, options, on_step=lambda _done, _steps: None
        )


def test_guided_on_no_step_the_models_latents_are_the_unguided_ones(judged: Judged) -> None:
    plain = judged.segment(judged.options(DualGuidance()))
    for method in (SequentialGuidance, DifferentialGuidance):
        found = judged.segment(judged.options(method(within=DualGuidance(), guided=0)))
        torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)


def test_guidance_makes_classifiers_surer(judged: Judged) -> None:
    """What the part is for: by its own classifiers, the result belongs to the sound more than before."""

    def misfit(latents_FCHW: Tensor) -> float:
        told = judged.model.conditions(judged.reference, judged.track.of(range(judged.track.frames)))
        total = 0.0
        for part in (FACE, NON_FACE):
            shown = latents_FCHW * judged.classifiers.mask(part)
            classifier, clean = judged.networks.of(part), torch.tensor([0.0])
            total -= float(classifier(shown, clean, told.without_memo(), judged.model.denoiser).sum())
        return total

    plain = misfit(judged.segment(judged.options(DualGuidance())))
    strong = SequentialGuidance(within=DualGuidance(), face_weight=3.0, non_face_weight=3.0, guided=1)
    assert misfit(judged.segment(judged.options(strong))) < plain - 0.01


def test_windows_are_judged_one_by_one(judged: Judged) -> None:
    windows = judged.model.spec.derive(
        long_video=SlidingWindowsSpec(frames=judged.track.frames, overlap=0, rotating=False)
    )
    judged.model.spec = windows
    guidance = SequentialGuidance(within=DualGuidance(), guided=1)
    (found,) = sample_video(
        judged.model,
        judged.reference,
        judged.track,
        judged.options(guidance),
        on_step=lambda _done, _steps: None,
    )
    (plain,) = sample_video(
        judged.model,
        judged.reference,
        judged.track,
        judged.options(DualGuidance()),
        on_step=lambda _done, _steps: None,
    )
    assert torch.isfinite(found).all() and not torch.allclose(found, plain, atol=1e-4)


def test_without_classifiers_a_sentence_says_where_they_come_from(judged: Judged) -> None:
    with pytest.raises(ConfigError, match="'cyberhost train classifiers'"):
        judged.segment(judged.options(SequentialGuidance(), classifiers=False))
