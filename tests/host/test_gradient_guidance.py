"""A guidance that corrects latents by a gradient through a real sampling step, in the core and in the host.

What it is for: whatever the gradient climbs is higher in the result. The host runs nodes in inference mode,
in which autograd refuses to work; its Python runs this file too (see inside.py) and has no pytest.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

if "inside" in sys.modules:
    from inside import BOX, core, euler_steps, picture_and_voice, told_and_known  # type: ignore[import-not-found]
else:
    from .inside import BOX, core, euler_steps, picture_and_voice, told_and_known

dual, gradients = core("guidance.dual"), core("guidance.gradients")
bundled, asks = core("bundled"), core("conditioners.asks")

SEED, STEPS, STRENGTH = 3, 2, 20.0
SCALES = {"reference_scale": 1.0, "audio_scale": 2.0}  # two passes: gradients go through their sum


class Brighter(dual.DualGuidance):
    """Dual guidance that also climbs the mean of the first channel of the clean latents, as estimated."""

    kind: Literal["test_brighter"] = "test_brighter"
    strength: float = STRENGTH

    @property
    def own_steps(self) -> bool:
        return True

    def advance(self, x_FCHW: Any, step: Any) -> Any:
        found = gradients.gradient(lambda z: brightness(step.clean(z)), x_FCHW)
        GRADIENTS.append(found)
        return step.solve(x_FCHW + self.strength * step.noise * found * x_FCHW[:, :1].numel())


GRADIENTS: list[torch.Tensor] = []


def brightness(latents_FCHW: torch.Tensor) -> torch.Tensor:
    return latents_FCHW[:, 0].mean()


def guidance(strength: float | None) -> Any:
    """The tiny model's own guidance (None), or the one that climbs."""
    return dual.DualGuidance(**SCALES) if strength is None else Brighter(**SCALES, strength=strength)


@cache
def sampled_in_core(strength: float | None) -> torch.Tensor:
    pipeline = core("pipeline.talker")
    denoise, video = core("sampling.denoise"), core("sampling.video")
    talker = pipeline.Talker.load(bundled.CHECKPOINT)
    picture_YXC, voice = picture_and_voice()
    driving = core("pipeline.options").Driving(movement=BOX)
    portrait, options = talker.portrait(picture_YXC), pipeline.GenerateOptions(driving=driving)
    track, reference = talker.track(voice, portrait, options), talker.reference(portrait)
    told = denoise.SamplingOptions(
        schedule=talker.spec.schedule.derive(steps=STEPS, sampler="euler"),
        guidance=guidance(strength),
        seed=SEED,
    )
    drive = track.of(range(12))
    noise = video.starting_noise(talker.spec, reference, SEED)(range(12))
    return video.sample_segment(talker.model, reference, drive, noise, told, on_step=lambda _done, _all: None)


def sampled_in_host(out: str) -> dict[str, float]:
    """In the host: one segment with the native euler sampler, plainly and by both strengths."""
    from pack.nodes.bridge.loading import load
    from pack.nodes.bridge.long_video import sample_track
    from pack.nodes.bridge.passes import make_passes
    from pack.nodes.bridge.reference import read_reference
    from safetensors.torch import save_file

    loaded = load(bundled.CHECKPOINT)
    picture_YXC, _ = picture_and_voice()
    sampling = euler_steps(loaded.model, seed=SEED, steps=STEPS, **SCALES)
    told, known = told_and_known(loaded.audio_encoder)
    made = {}
    for name, strength in (("plain", None), ("zero", 0.0), ("brighter", STRENGTH)):
        parts = replace(loaded.parts, spec=loaded.parts.spec.derive(guidance=guidance(strength)))
        bank, _ = read_reference(parts, loaded.vae, picture_YXC, known=known)
        (full, reference, null), _, _ = make_passes(parts, bank, told, connected={asks.SOUND, asks.MAP})
        latents = sample_track(loaded.model, full=full, reference=reference, null=null, sampling=sampling)
        made[name] = latents[:10].contiguous()
    made["gradient"] = GRADIENTS[-1].contiguous()
    save_file(made, out)
    return {"gradients": len(GRADIENTS)}


def test_a_gradient_flows_through_the_cores_sampling_step_and_does_what_it_is_for() -> None:
    GRADIENTS.clear()
    plain, brighter = sampled_in_core(None), sampled_in_core(STRENGTH)
    assert len(GRADIENTS) == STEPS
    assert all(torch.isfinite(found).all() and found.any() for found in GRADIENTS)
    assert brightness(brighter) > brightness(plain) + 0.05


def test_a_correction_of_nothing_changes_nothing() -> None:
    torch.testing.assert_close(sampled_in_core(0.0), sampled_in_core(None), atol=1e-4, rtol=0)


def test_a_gradient_flows_through_the_hosts_sampling_step_in_the_same_way(
    inside: Callable[..., Any], tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    out = tmp_path / "latents.safetensors"
    inside(sampled_in_host, out)
    found = load_file(out)
    assert torch.isfinite(found["gradient"]).all() and found["gradient"].any()
    torch.testing.assert_close(found["zero"], found["plain"], atol=1e-3, rtol=0)
    assert brightness(found["brighter"]) > brightness(found["plain"]) + 0.05
    torch.testing.assert_close(found["brighter"], sampled_in_core(STRENGTH)[:10], atol=0.05, rtol=0)
