"""How a system hears: a speech network, and the way from its steps to one row per video frame.

wav2vec2             steps matched to frames in time                         (L + 2) D     `speech`
wav2vec2_stretched   its transformer runs at the frame rate                  L D           `stretched_speech`
whisper              the ten steps around every frame's start, L + 1 levels  10 (L + 1) D  `whisper`

A checkpoint says which one it was trained with; callers pass that word on and never ask which it is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..controls.audio_windows import STEPS_AFTER, STEPS_BEFORE, frames_of_chunks, windows_of_chunks
from ..errors import CheckpointError, ConfigError
from .speech import SpeechFeatures
from .stretched_speech import StretchedSpeech
from .whisper import WhisperFeatures


class Hearing(Protocol):
    """Turns a sound (T,), mono at 16 kHz, into (frames, size), some frames at a time.

    speech: the network's own steps; its `model` is what a host moves between devices
    """

    @property
    def speech(self) -> SpeechFeatures | WhisperFeatures: ...

    @property
    def size(self) -> int: ...

    def frame_pieces(self, wave_T: np.ndarray | Tensor, *, frames: int, fps: float) -> Iterator[Tensor]: ...


class MatchedSpeech:
    """Hear wav2vec2's steps at the middle of every frame, however long the sound is."""

    def __init__(self, speech: SpeechFeatures) -> None:
        self.speech, self.size = speech, speech.size

    def frame_pieces(self, wave_T: np.ndarray | Tensor, *, frames: int, fps: float) -> Iterator[Tensor]:
        return frames_of_chunks(self.speech.extract_chunks(wave_T), frames=frames, fps=fps)


class WhisperWindows:
    """Hear Whisper's steps around the start of every frame, already as windows."""

    def __init__(self, speech: WhisperFeatures) -> None:
        self.speech, self.size = speech, (STEPS_BEFORE + STEPS_AFTER) * speech.size

    def frame_pieces(self, wave_T: np.ndarray | Tensor, *, frames: int, fps: float) -> Iterator[Tensor]:
        return windows_of_chunks(self.speech.extract_chunks(wave_T), frames=frames, fps=fps)


# hearing: (the model_type of its network, how to build it)
_HEARINGS: dict[str, tuple[str, Callable[[dict[str, Tensor], dict[str, Any]], Hearing]]] = {
    "wav2vec2": ("wav2vec2", lambda *file: MatchedSpeech(SpeechFeatures.from_state_dict(*file))),
    "wav2vec2_stretched": ("wav2vec2", lambda *file: StretchedSpeech(SpeechFeatures.from_state_dict(*file))),
    "whisper": ("whisper", lambda *file: WhisperWindows(WhisperFeatures.from_state_dict(*file))),
}


def load_hearing(hearing: str, state: Mapping[str, Tensor], config: Mapping[str, Any]) -> Hearing:
    """Build what a checkpoint's system hears with, from its audio encoder.

    Raises:   ConfigError: no such hearing
              CheckpointError: an encoder of another kind, or weights that do not fit their configuration
              MissingExtraError: transformers is not installed
    """
    if hearing not in _HEARINGS:
        raise ConfigError(
            f"The system's hearing is '{hearing}', but one of {', '.join(_HEARINGS)} was expected; "
            "convert the checkpoint again with this version, or update the pack."
        )
    expected, build = _HEARINGS[hearing]
    found = config.get("model_type", "wav2vec2")
    if found != expected:
        raise CheckpointError(
            f"The checkpoint's audio encoder is a '{found}', but its system's hearing, '{hearing}', needs a "
            f"'{expected}'; convert the checkpoint again with the audio encoder it was trained with."
        )
    return build(dict(state), dict(config))


def hear(
    hearing: Hearing,
    wave_T: np.ndarray | Tensor,
    *,
    frames: int,
    fps: float,
    on_piece: Callable[[], None] = lambda: None,
) -> Tensor:
    """Describe a whole sound, one row per video frame; on_piece is called between pieces of 20 or 30 s.

    Shapes:   wave_T (T,) mono; result (frames, hearing.size) float16 on the CPU
    Units:    wave -1..1 at 16 kHz; fps frames per second
    Raises:   AudioError: the sound is empty, not mono, or holds values that are not numbers
    """

    def watched() -> Iterator[Tensor]:
        for piece_FD in hearing.frame_pieces(wave_T, frames=frames, fps=fps):
            on_piece()
            yield piece_FD

    return joined(watched(), frames=frames)


def joined(pieces: Iterable[Tensor], *, frames: int) -> Tensor:
    """Join rows that come in pieces, in float16, without a second copy of them all.

    Shapes:   pieces, in order, (F_i, D) each, `frames` in all; result (frames, D)
    """
    rows_FD = torch.empty(0)
    done = 0
    for piece_FD in pieces:
        if not done:
            rows_FD = torch.empty(frames, piece_FD.shape[1], dtype=torch.float16)
        rows_FD[done : done + len(piece_FD)] = piece_FD
        done += len(piece_FD)
    return rows_FD
