"""How sharp the hands are to be: four numbers per frame, added to the time embedding.

Source:   CyberHost section 3.3, appendix D
"""

from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..backbone.conditions import Conditions
from ..backbone.embeddings import ClarityEmbedding
from ..data.calibration import Calibration
from ..data.clip import Clip
from .asks import CLARITY, Ask
from .conditioner import Conditioner, Given, InputShapes, InputSize, Place, Reader, Settings, TrackSize
from .values import Drive, Encoded, Inputs, Missing

Scores = tuple[float, float, float, float]


class HandClarity(Conditioner):
    """unit: in grey levels; low, high: the range that inference may ask for, calibrated on training data.

    unit scales what the network reads, so that it never follows the data.
    """

    kind: Literal["hand_clarity"] = "hand_clarity"
    unit: float = 50.0
    low: Scores = (5.0, 5.0, 0.2, 0.2)
    high: Scores = (40.0, 40.0, 1.0, 1.0)

    def asks_of_track(self) -> tuple[Ask, ...]:
        return (CLARITY,)

    def of_track(self, told: Given, size: TrackSize) -> dict[str, Any]:
        """Take measured scores (4,), or a share of the calibrated range; none asked for is all of it."""
        wanted = told.get(CLARITY, 1.0)
        return {"clarity": (wanted if isinstance(wanted, Tensor) else self.scores(wanted))[None]}

    def scores(self, share: float) -> Tensor:
        """Ask for a share of the calibrated range, 0..1 -> (4,)."""
        low, high = torch.tensor(self.low), torch.tensor(self.high)
        return low + share * (high - low)

    def drive_of(self, clip: Clip, rng: np.random.Generator, settings: Settings) -> Inputs:
        return {"clarity": torch.from_numpy(clip.video.clarity_F4[clip.span])}

    def calibrated(self, calibration: Calibration) -> Self:
        if calibration.clarity_low is None or calibration.clarity_high is None:
            return self
        low, high = calibration.clarity_low, calibration.clarity_high
        return self.derive(low=(low[0], low[0], low[1], low[1]), high=(high[0], high[0], high[1], high[1]))

    def shapes(self, size: InputSize) -> InputShapes:
        return InputShapes(drive={"clarity": (size.frames, 4)})

    def build(self, parts: nn.Module, place: Place) -> Reader:
        return _Reader(self, parts, place)


class _Reader(Reader):
    def __init__(self, config: HandClarity, parts: nn.Module, place: Place) -> None:
        parts.clarity_embedding = self.embed = ClarityEmbedding(
            place.unet.embedding_dim, unit=config.unit, ops=place.ops
        )

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        return conditions.plus(time_NE=self.embed(drive.rows(drive.exact("clarity"))))
