"""Sliding windows as a native guider: all frames at one noise level, each step window by window.

all frames --windows of this step--> passes -> guidance --mean where windows overlap--> all frames
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import comfy.patcher_extension as extension
from torch import Tensor

from ...cyberhost_core.backbone.conditions import Conditions
from ...cyberhost_core.diffusion.windows import Window
from ...cyberhost_core.guidance.guidance import FULL
from ...cyberhost_core.sampling.windows import cut, over_windows
from ...cyberhost_core.systems.spec import SlidingWindowsSpec
from .conds import CondPass
from .guider import PassGuider, host_name
from .passage import KEY, Passage

if TYPE_CHECKING:
    from ...cyberhost_core.sampling.network import Memos
    from ..helpers.types import ReferenceBank


class WindowGuider(PassGuider):
    """Guide every window as a segment of its own."""

    def set_windows(self, long: SlidingWindowsSpec) -> None:
        self.long = long
        self._memos: Memos = {}
        self._bank: ReferenceBank | None = None

        def plan_for_one_window(execute: Any, model: Any, noise_shape: Any, *rest: Any, **named: Any) -> Any:
            # the host weighs what fits into memory by the size of one batch, which is a window
            shape = [min(noise_shape[0], long.frames), *noise_shape[1:]]
            return execute(model, shape, *rest, **named)

        self.model_patcher = self.model_patcher.clone()
        self.model_patcher.add_wrapper_with_key(
            extension.WrappersMP.PREPARE_SAMPLING, KEY, plan_for_one_window
        )
        self.model_options = self.model_patcher.model_options

    def predict_noise(  # noqa: PLR0917 - the host's signature
        self, x: Tensor, timestep: Tensor, model_options: dict | None = None, seed: int | None = None
    ) -> Tensor:
        options = model_options or {}
        whole, run = self.conds, self.names_run(timestep)

        def of_window(frames: Window) -> Tensor:
            self.conds = {
                name: [self._in_window(cond, frames, like=x) for cond in conds]
                for name, conds in whole.items()
                if name in run
            }
            rows = list(frames)
            return super(WindowGuider, self).predict_noise(x[rows], timestep[rows], options, seed)

        try:
            return over_windows(self.long, of_window, frames=len(x), step=_step(options, timestep))
        finally:
            self.conds = whole

    def window_conditions(
        self, timestep: Tensor, options: dict, *, like: Tensor
    ) -> list[tuple[list[int], Conditions]]:
        """Give the windows of a step, and what the full pass is told in each."""
        (full,) = self.conds[host_name(FULL)]
        found = cut(self.long, frames=len(like), step=_step(options, timestep))
        return [
            (list(frames), self._in_window(full, frames, like=like)["model_conds"][KEY].cond)
            for frames in found
        ]

    def _in_window(self, cond: dict, frames: Window, *, like: Tensor) -> dict:
        dtype = self.inner_model.manual_cast_dtype or self.inner_model.get_dtype()
        passage: Passage = cond[KEY]
        if self._bank is None:  # of all passes and windows: brought to where it is read only once
            self._bank = replace(passage.bank, reference=passage.bank.reference.to(like.device, dtype))
        near = replace(passage, bank=self._bank)
        conditions = near.window(frames, device=like.device, dtype=dtype)
        told = CondPass(conditions, passage.seen, self._memos)
        return {**cond, "model_conds": {**cond["model_conds"], KEY: told}}


def _step(options: dict, timestep: Tensor) -> int:
    """Number of the sampling step: the last sigma that is not below this one."""
    sigmas = options["transformer_options"]["sample_sigmas"].to(timestep)
    return max(int((sigmas >= timestep[0] * (1 - 1e-4)).sum()) - 1, 0)
