"""The sound: what each frame hears, as tokens for cross-attention.

features of a frame and its neighbours (window, D) -> projection -> tokens
Absent:   what the projection calls silence.
Source:   CyberHost appendix E (wav2vec2, 5 frames); Hallo and EchoMimicV2 hear in their own ways
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..backbone.audio_projection import AudioProjectionConfig, LinearAudioConfig
from ..backbone.conditions import SOUND_TOKENS, Conditions
from ..controls.audio_windows import windows
from ..data.clip import Clip
from ..errors import AudioError
from .asks import SOUND as SPEECH
from .asks import Ask
from .conditioner import Conditioner, Given, InputShapes, InputSize, Place, Reader, Settings, TrackSize
from .values import SOUND, Drive, Encoded, Inputs, Missing, choose, having


@dataclass(frozen=True, eq=False, kw_only=True)
class SoundFeatures:
    """Speech features of a whole video; hearing: how they were made, in Sound's words.

    Shapes:   features_FD (F, D), one row per frame; "whisper" rows are windows already
    """

    features_FD: Tensor
    hearing: str


class Sound(Conditioner):
    """The size of one step's feature, the steps per frame, and how they become tokens.

    hearing: "wav2vec2" interpolates hidden states to frames; "wav2vec2_stretched" stretches what the
    convolutions hear to frames, before the transformer; "whisper" takes each frame's own steps at 50 Hz.
    """

    kind: Literal["sound"] = "sound"
    feature_dim: int = 10752
    token_dim: int = 768
    window: int = 5
    hearing: Literal["wav2vec2", "wav2vec2_stretched", "whisper"] = "wav2vec2"
    projection: AudioProjectionConfig = LinearAudioConfig()

    @property
    def brings(self) -> frozenset[str]:
        return frozenset({SOUND_TOKENS})

    def asks_of_track(self) -> tuple[Ask, ...]:
        return (SPEECH,)

    def of_track(self, told: Given, size: TrackSize) -> dict[str, Any]:
        return {"audio": self.windows(told[SPEECH], system=size.system)}

    def windows(self, heard: SoundFeatures, *, system: str) -> Tensor:
        """Give every frame its window of features, (F, window, feature_dim).

        Raises:   AudioError: features made otherwise than the system hears, or by a network of another size
        """
        width, expected = heard.features_FD.shape[1], self._numbers_per_frame
        if heard.hearing != self.hearing or width != expected:
            raise AudioError(
                f"The audio features are {width} numbers per frame heard by '{heard.hearing}', but "
                f"'{system}' was trained on {expected} heard by '{self.hearing}'; use the audio encoder of "
                "the same checkpoint."
            )
        return self._windows(heard.features_FD)

    @property
    def _numbers_per_frame(self) -> int:
        return self.feature_dim * (self.window if self.hearing == "whisper" else 1)

    def _windows(self, features_FD: Tensor) -> Tensor:
        if self.hearing == "whisper":  # heard in windows already
            return features_FD.unflatten(1, (self.window, self.feature_dim))
        return windows(features_FD, size=self.window)

    def drive_of(self, clip: Clip, rng: np.random.Generator, settings: Settings) -> Inputs:
        """Cut a clip's windows out of its video's features.

        Raises:   AudioError: they were heard otherwise than the system hears, or by a network of another size
        """
        video, expected = clip.video, self._numbers_per_frame
        width = video.audio_FD.shape[1]
        if video.hearing != self.hearing or width != expected:
            raise AudioError(
                f"The prepared videos hold {width} numbers of sound per frame, heard by '{video.hearing}', "
                f"but the system hears {expected} by '{self.hearing}'; prepare them with --for and a "
                "checkpoint of this system, or with the speech encoder that it is made for."
            )
        features_FD = torch.from_numpy(video.audio_FD.astype(np.float32))
        return {"audio": self._windows(features_FD)[clip.span]}

    def shapes(self, size: InputSize) -> InputShapes:
        return InputShapes(drive={"audio": (size.frames, self.window, self.feature_dim)})

    def build(self, parts: nn.Module, place: Place) -> Reader:
        return _Reader(self, parts, place)


class _Reader(Reader):
    def __init__(self, config: Sound, parts: nn.Module, place: Place) -> None:
        parts.audio_projection = self.project = config.projection.build(
            config.feature_dim, config.token_dim, window=config.window, ops=place.ops
        )

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        windows_NWD, rows = drive.rows(drive["audio"]), having(missing, SOUND)
        silence = self.project.silent(windows_NWD) if not all(rows) else torch.empty(0)
        tokens = self.project(windows_NWD) if any(rows) else silence
        return replace(conditions, audio_NWD=choose(rows, tokens, silence))
