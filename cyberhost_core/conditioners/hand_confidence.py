"""How sure a detector would be of each hand: two numbers per frame, added after conv_in at every place.

Source:   EMO2 section 3.4
"""

from typing import Any, Literal, Self

import numpy as np
import torch
from torch import nn

from ..backbone.conditions import Conditions
from ..backbone.embeddings import ConfidenceEmbedding
from ..data.calibration import Calibration
from ..data.clip import Clip
from ..errors import ConfigError
from .asks import CONFIDENCE, Ask
from .conditioner import Conditioner, Given, InputShapes, InputSize, Place, Reader, Settings, TrackSize
from .values import Drive, Encoded, Inputs, Missing


class HandConfidence(Conditioner):
    """high: what inference says of the left and the right hand, calibrated on training data, 0..1."""

    kind: Literal["hand_confidence"] = "hand_confidence"
    high: tuple[float, float] = (1.0, 1.0)

    def asks_of_track(self) -> tuple[Ask, ...]:
        return (CONFIDENCE,)

    def of_track(self, told: Given, size: TrackSize) -> dict[str, Any]:
        """Scale what is wanted, (F, 2) in 0..1 (0: no hand there), to the calibrated high value.

        Source:   EMO2 section 3.4: "During inference, assigning higher confidence scores results in clearer
                  and structurally correct hands"
        Raises:   ConfigError: nothing was told of the hands
        """
        if CONFIDENCE not in told:
            raise ConfigError(
                f"'{size.system}' needs {CONFIDENCE.words}, which is missing; in ComfyUI use EMO2 Conditions."
            )
        wanted_FH = told[CONFIDENCE]
        return {"confidence": torch.from_numpy((wanted_FH * np.array(self.high)).astype(np.float32))}

    def drive_of(self, clip: Clip, rng: np.random.Generator, settings: Settings) -> Inputs:
        return {"confidence": torch.from_numpy(clip.video.hand_confidence_FH[clip.span])}

    def calibrated(self, calibration: Calibration) -> Self:
        high = calibration.hand_confidence
        return self if high is None else self.derive(high=(high, high))

    def shapes(self, size: InputSize) -> InputShapes:
        return InputShapes(drive={"confidence": (size.frames, 2)})

    def build(self, parts: nn.Module, place: Place) -> Reader:
        return _Reader(parts, place)


class _Reader(Reader):
    def __init__(self, parts: nn.Module, place: Place) -> None:
        parts.confidence_embedding = self.embed = ConfidenceEmbedding(place.unet.channels[0], ops=place.ops)

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        return conditions.plus(map_NCHW=self.embed(drive.rows(drive.exact("confidence"))))
