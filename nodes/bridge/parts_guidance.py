"""Guidance by classifiers of parts as a patch of a MODEL: native samplers and guiders run it, and so do ours.

MODEL, classifiers, area of the face -> clone of the MODEL; in each run of a sampler
    the user's sampler, one step at a time <-- corrected latents <-- gradients of the classifiers
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.ops
import comfy.patcher_extension as extension
from torch import Tensor, nn
from torch.nn import functional as nnf

from ...cyberhost_core.backbone.conditions import Conditions
from ...cyberhost_core.backbone.part_classifier import PartClassifiers
from ...cyberhost_core.checkpoints.building import planned
from ...cyberhost_core.checkpoints.classifiers import read_classifiers
from ...cyberhost_core.errors import ConfigError
from ...cyberhost_core.guidance.guidance import FULL
from ...cyberhost_core.guidance.parts import PartsGuidance
from ...cyberhost_core.guidance.step import FACE, Part
from .loading import dtypes, filled
from .model import CyberHostModel
from .ops import host_ops
from .outside_inference import differentiable, ordinary
from .own_steps import StepwiseSampler
from .passage import KEY
from .windows import WindowGuider

_NAME = "cyberhost_parts"
Area = Callable[[int, int], Tensor]  # height and width of the latents -> where the face is, 0..1


def load_classifiers(model: Any, path: Path) -> Any:
    """Load the classifiers of a MODEL's checkpoint, for the host to place beside it.

    Raises:   ConfigError: the MODEL is none of this pack; CheckpointError: the file is not its classifiers'
    """
    if not isinstance(model.model, CyberHostModel):
        raise ConfigError(
            "Parts Guidance was given a model of another kind; connect the model output of Load CyberHost."
        )
    with differentiable():
        config, state = read_classifiers(path, model.model.spec)
        dtype, cast = dtypes(sum(value.numel() for value in state.values()))
        operations = comfy.ops.pick_operations(dtype, cast)
        network = PartClassifiers(config, ops=host_ops(operations, dtype=dtype, device=None))
        plan = planned(lambda ops: PartClassifiers(config, ops=ops))
        return filled(network, network, state, plan=plan, dtype=dtype, path=path)


def guided(  # noqa: PLR0917 - in the order of the wires
    model: Any, classifiers: Any, guidance: PartsGuidance, area: Area
) -> Any:
    """Give a clone of a MODEL whose sampling is guided, whatever sampler and guider run it."""

    def stepwise(  # noqa: PLR0917 - the host's signature
        execute: Any,
        guider: Any,
        sigmas: Tensor,
        extra_args: dict,
        callback: Any,
        noise: Tensor,
        *rest: Any,
        **named: Any,
    ) -> Tensor:
        height, width = noise.shape[-2:]
        critics = _HostCritics(guider, classifiers, ordinary(area(height, width).to(noise)))
        sampler = StepwiseSampler(_Inner(execute), guidance, critics)
        return sampler.sample(guider, sigmas, extra_args, callback, noise, *rest, **named)

    patched = model.clone()
    patched.add_wrapper_with_key(extension.WrappersMP.SAMPLER_SAMPLE, _NAME, stepwise)
    patched.set_additional_models(_NAME, [classifiers])
    return patched


class _Inner:
    """The user's sampler, as whatever else wraps it has it."""

    def __init__(self, execute: Callable[..., Tensor]) -> None:
        self.sample = execute


@dataclass(frozen=True, eq=False)
class _HostCritics:
    """The classifiers, asked of what a guider is sampling; see own_steps.Critics."""

    guider: Any
    classifiers: Any
    face_HW: Tensor

    @property
    def network(self) -> nn.Module:
        return self.classifiers.model

    def mask(self, part: Part) -> Tensor:
        face = self.face_HW[None, None]
        return face if part == FACE else 1 - face

    def misfit(  # noqa: PLR0917
        self, part: Part, x_FCHW: Tensor, sigma: Tensor, options: dict
    ) -> Tensor:
        classifier, denoiser = self.classifiers.model.of(part), self.guider.inner_model.diffusion_model
        timestep = self.guider.inner_model.model_sampling.timestep(sigma).float().view(1)
        shown = x_FCHW * self.mask(part).to(x_FCHW)
        total = x_FCHW.new_zeros(())
        for rows, told in self._told(sigma, options, like=x_FCHW):
            noised = shown[rows].to(told.audio_NWD.dtype)
            logit_1 = classifier(noised, timestep, told.without_memo(), denoiser)
            total = total - nnf.logsigmoid(logit_1.float()).sum()
        return total

    def _told(self, sigma: Tensor, options: dict, *, like: Tensor) -> list[tuple[Any, Conditions]]:
        """What the full pass is told of the frames that make up a clip."""
        if isinstance(self.guider, WindowGuider):
            return self.guider.window_conditions(sigma.expand(len(like)), options, like=like)
        for conds in self.guider.conds.values():
            for cond in conds:
                if KEY in cond.get("model_conds", {}) and cond[KEY].seen == FULL:
                    return [(slice(None), cond["model_conds"][KEY].cond)]
        raise ConfigError(
            "A model with Parts Guidance was sampled without the positive output of CyberHost Conditions; "
            "connect it to the guider."
        )
