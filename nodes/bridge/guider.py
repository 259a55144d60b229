"""Dual guidance as a native guider, and one segment sampled with it.

    e(null) + reference_scale (e(reference) - e(null)) + audio_scale (e(full) - e(reference))

Source: CyberHost appendix E. ComfyUI's own DualCFGGuider ("regular") gives the same with cond1 = positive,
cond2 = reference only, cfg_conds = audio_scale, cfg_cond2_negative = reference_scale.
"""

import math
from collections.abc import Callable
from typing import Any

import comfy.samplers
import latent_preview
from torch import Tensor

Report = Callable[[int, Any], None]  # (steps done in this segment, preview picture or None)


class DualGuider(comfy.samplers.CFGGuider):
    """Guide by reference and by sound; a pass whose weight is zero is not computed."""

    def set_passes(self, *, full: list, reference: list, null: list) -> None:
        self.inner_set_conds({"positive": full, "middle": reference, "negative": null})

    def set_scales(self, *, reference: float, audio: float) -> None:
        self.reference_scale, self.audio_scale = reference, audio

    def weighs(self, name: str) -> bool:
        """Whether a pass, by the name of its conds, has a weight."""
        if name == "negative":
            return not math.isclose(self.reference_scale, 1.0)
        return name == "positive" or not math.isclose(self.reference_scale, self.audio_scale)

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict | None = None, _seed: int | None = None
    ) -> Tensor:
        options = model_options or {}
        passes = [
            self.conds[name] if self.weighs(name) else None for name in ("negative", "middle", "positive")
        ]
        null, reference, full = comfy.samplers.calc_cond_batch(self.inner_model, passes, x, timestep, options)
        one_scale = passes[1] is None
        guided = comfy.samplers.cfg_function(
            self.inner_model,
            full if one_scale else reference,
            null,
            self.reference_scale,
            x,
            timestep,
            model_options=options,
            cond=passes[2] if one_scale else passes[1],
            uncond=passes[0],
        )
        return guided if one_scale else guided + self.audio_scale * (full - reference)


def step_callback(model: Any, report: Report) -> Callable[[int, Tensor, Tensor, int], None]:
    """Build a sampler callback that draws ComfyUI's latent preview and reports each finished step."""
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)

    def callback(step: int, x0: Tensor, _x: Tensor, _steps: int) -> None:
        report(step + 1, previewer.decode_latent_to_preview_image("JPEG", x0) if previewer else None)

    return callback
