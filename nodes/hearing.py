"""From a voice, or what was already made of it, to one row of features per video frame."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor

from ..cyberhost_core.conditions.audio_windows import interpolate_chunks_to_fps
from ..cyberhost_core.errors import AudioError
from ..cyberhost_core.units import SPEECH_RATE_HZ, frame_count
from .audio import sound_from_audio
from .bridge.progress import stop_if_cancelled
from .speech_steps import require_same_length, steps_of_encoder, steps_of_output
from .types import AudioTrack

Mapped = Mapping[str, Any]


def hear(audio: Mapped | None, *, encoder: Any, encoded: Mapped | None, fps: float) -> AudioTrack:
    """Describe a voice from AUDIO and AUDIO_ENCODER, or from a native AUDIO_ENCODER_OUTPUT.

    Raises:   AudioError: neither is complete; the sound is silent, empty, damaged, or not the encoded one
              ConfigError: the encoder is no wav2vec2
    """
    if encoded is not None:
        return _from_output(audio, encoded=encoded, fps=fps)
    if audio is None or encoder is None:
        raise AudioError(
            f"There is no {'audio' if audio is None else 'audio encoder'}, but a voice and a wav2vec2 "
            "encoder were expected; connect Load Audio and Load CyberHost's audio_encoder, or encoded audio."
        )
    sound = sound_from_audio(audio)
    sound.require_audible()
    steps = steps_of_encoder(encoder, sound.speech_T())
    return _track(steps, frames=sound.frames(fps), fps=fps, seconds=sound.seconds)


def _from_output(audio: Mapped | None, *, encoded: Mapped, fps: float) -> AudioTrack:
    steps_TD, samples = steps_of_output(encoded)
    if audio is None:
        frames = frame_count(samples, rate_hz=SPEECH_RATE_HZ, fps=fps)
        return _track([steps_TD], frames=frames, fps=fps, seconds=samples / SPEECH_RATE_HZ)
    sound = sound_from_audio(audio)
    sound.require_audible()
    require_same_length(round(sound.seconds * SPEECH_RATE_HZ), encoded_samples=samples)
    return _track([steps_TD], frames=sound.frames(fps), fps=fps, seconds=sound.seconds)


def _track(steps: Iterable[Tensor], *, frames: int, fps: float, seconds: float) -> AudioTrack:
    features_FD = interpolate_chunks_to_fps(_cancellable(steps), frames=frames, fps=fps)
    return AudioTrack(features_FD=features_FD.half(), fps=fps, seconds=seconds)


def _cancellable(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
    for piece in pieces:
        stop_if_cancelled()
        yield piece
