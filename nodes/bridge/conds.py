"""How a pass of ours travels through ComfyUI's batching of conditions.

The host runs the passes of one step together, apart, or in any order, as memory allows; each way gets the
same numbers, because every pass brings its own rows and says which.
"""

from dataclasses import replace

import comfy.conds

from ...cyberhost_core.backbone.conditions import Conditions, join
from ...cyberhost_core.guidance.guidance import Pass
from ...cyberhost_core.sampling.network import Memos


class CondPass(comfy.conds.CONDRegular):
    """Hold one pass's conditions for one sampling run.

    What the layers compute once per segment lies in the Conditions; those of passes that ran together are
    kept with the first of them, so that the next step finds them again. memos: what layers compute once per
    reference, by the passes that ran together; windows of one video are given the same.
    """

    def __init__(self, cond: Conditions, seen: Pass, memos: Memos) -> None:
        super().__init__(cond)
        self._seen, self._memos = seen, memos
        self._joined: dict[tuple[int, ...], Conditions] = {}

    def process_cond(self, **_: object) -> "CondPass":
        return self

    def can_concat(self, other: "CondPass") -> bool:
        mine, others = self.cond, other.cond
        return mine.frames == others.frames and mine.map_NCHW.device == others.map_NCHW.device

    def concat(self, others: "list[CondPass]") -> Conditions:
        key = tuple(id(other) for other in others)
        if key not in self._joined:
            passes = (self._seen, *(other._seen for other in others))
            joined = join([self.cond, *(other.cond for other in others)]) if others else self.cond
            self._joined[key] = replace(joined, clip_memo=self._memos.setdefault(passes, {}))
        return self._joined[key]

    def size(self) -> list[int]:
        return [1]
