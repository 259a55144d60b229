"""A guidance of the core as a native guider.

sampler asks at x, sigma -> passes -> combined -> denoised latents

ComfyUI's own DualCFGGuider ("regular") gives the same as dual guidance with cond1 = positive, cond2 =
reference only, cfg_conds = audio_scale, cfg_cond2_negative = reference_scale.
"""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import comfy.samplers
import latent_preview
from torch import Tensor

from ...cyberhost_core.guidance.guidance import FULL, WITHOUT_BOTH, WITHOUT_SOUND, Guidance, Pass, Rung
from .own_steps import StepwiseSampler, vp_noise

Report = Callable[[int, Any], None]  # (steps done in this segment, preview picture or None)
# names that the host treats in its own way; other passes keep theirs
_HOST_NAMES = {FULL: "positive", WITHOUT_SOUND: "middle", WITHOUT_BOTH: "negative"}


class PassGuider(comfy.samplers.CFGGuider):
    """Guide as a guidance of the core says; a pass whose weight is zero is not computed."""

    def set_guidance(self, guidance: Guidance, conditionings: Mapping[Pass, list]) -> None:
        """Take a guidance, and the conditioning of each of its passes."""
        self.guidance = guidance
        self.inner_set_conds({host_name(seen): given for seen, given in conditionings.items()})

    def sample(  # noqa: PLR0917 - the host's signature
        self, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor, **more: Any
    ) -> Tensor:
        """Sample as the host does; a guidance that takes steps of its own is asked for each."""
        if self.guidance.own_steps:
            sampler = StepwiseSampler(sampler, self.guidance)
        return super().sample(noise, latent_image, sampler, sigmas, **more)

    def names_run(self, timestep: Tensor) -> set[str]:
        """Under which names the conds of those passes travel that are run at a noise level."""
        return {host_name(seen) for seen in _run(_merged(self.guidance.rungs(vp_noise(timestep))))}

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict | None = None, _seed: int | None = None
    ) -> Tensor:
        options, noise = model_options or {}, vp_noise(timestep)
        rungs = _merged(self.guidance.rungs(noise))
        conds = {seen: self.conds[host_name(seen)] for seen in _run(rungs)}
        found = comfy.samplers.calc_cond_batch(
            self.inner_model, [conds.get(rung.seen) for rung in rungs], x, timestep, options
        )
        predicted = dict(zip((rung.seen for rung in rungs), found, strict=True))
        if type(self.guidance).combine is not Guidance.combine:
            return self.guidance.combine({seen: predicted[seen] for seen in conds}, noise)
        first, *more = rungs
        if not more:
            return predicted[first.seen]
        # The first difference goes through the host's function, so that its hooks (rescaling, ...) run.
        guided = comfy.samplers.cfg_function(
            self.inner_model,
            predicted[more[0].seen],
            predicted[first.seen],
            more[0].scale,
            x,
            timestep,
            model_options=options,
            cond=conds[more[0].seen],
            uncond=conds.get(first.seen),
        )
        for below, above in pairwise(more):
            guided = guided + above.scale * (predicted[above.seen] - predicted[below.seen])
        return guided


def host_name(seen: Pass) -> str:
    """Under which name a pass's conds travel."""
    return _HOST_NAMES.get(seen, seen.name)


def step_callback(model: Any, report: Report) -> Callable[[int, Tensor, Tensor, int], None]:
    """Build a sampler callback that draws ComfyUI's latent preview and reports each finished step."""
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)

    def callback(step: int, x0: Tensor, _x: Tensor, _steps: int) -> None:
        report(step + 1, previewer.decode_latent_to_preview_image("JPEG", x0) if previewer else None)

    return callback


def _merged(rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    """Leave out passes between two equal scales: what they add is taken away again."""
    kept = [
        rung
        for number, rung in enumerate(rungs)
        if number in (0, len(rungs) - 1) or not math.isclose(rung.scale, rungs[number + 1].scale)
    ]
    return tuple(kept)


def _run(rungs: tuple[Rung, ...]) -> list[Pass]:
    """List the passes to be run: at scale 1 the second one stands alone, and the first is not needed."""
    needed = rungs[1:] if len(rungs) > 1 and math.isclose(rungs[1].scale, 1.0) else rungs
    return [rung.seen for rung in needed]
