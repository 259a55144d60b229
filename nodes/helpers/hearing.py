"""From a voice, or what was already made of it, to one row of features per video frame.

Load CyberHost's encoder -> in the way that its checkpoint was trained with
AudioEncoderLoader's     -> plain wav2vec2, steps matched to frames in time
AUDIO_ENCODER_OUTPUT     -> the same
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor

from ...cyberhost_core.controls.audio_windows import frames_of_chunks
from ...cyberhost_core.errors import AudioError
from ...cyberhost_core.perception.hearing import joined
from ...cyberhost_core.units import SPEECH_RATE_HZ, frame_count
from ..bridge.progress import stop_if_cancelled
from .audio import sound_from_audio
from .speech_steps import require_same_length, steps_of_encoder, steps_of_output
from .types import AudioTrack

Mapped = Mapping[str, Any]
_PLAIN = "wav2vec2"


def hear(audio: Mapped | None, *, encoder: Any, encoded: Mapped | None, fps: float) -> AudioTrack:
    """Describe a voice from AUDIO and AUDIO_ENCODER, or from a native AUDIO_ENCODER_OUTPUT.

    Raises:   AudioError: neither is complete; the sound is silent, empty, damaged, or not the encoded one
              ConfigError: the encoder is not ours and no wav2vec2
    """
    if encoded is not None:
        return _from_output(audio, encoded=encoded, fps=fps)
    if audio is None or encoder is None:
        raise AudioError(
            f"There is no {'audio' if audio is None else 'audio encoder'}, but a voice and an audio "
            "encoder were expected; connect Load Audio and Load CyberHost's audio_encoder, or encoded audio."
        )
    sound = sound_from_audio(audio)
    sound.require_audible()
    wave_T, frames = sound.speech_T(), sound.frames(fps)
    if hasattr(encoder, "listener"):
        pieces = encoder.load().listener.frame_pieces(wave_T, frames=frames, fps=fps)
        return _track(pieces, frames=frames, fps=fps, seconds=sound.seconds, hearing=encoder.hearing)
    return _plain_track(steps_of_encoder(encoder, wave_T), frames=frames, fps=fps, seconds=sound.seconds)


def _from_output(audio: Mapped | None, *, encoded: Mapped, fps: float) -> AudioTrack:
    steps_TD, samples = steps_of_output(encoded)
    if audio is None:
        frames = frame_count(samples, rate_hz=SPEECH_RATE_HZ, fps=fps)
        return _plain_track([steps_TD], frames=frames, fps=fps, seconds=samples / SPEECH_RATE_HZ)
    sound = sound_from_audio(audio)
    sound.require_audible()
    require_same_length(round(sound.seconds * SPEECH_RATE_HZ), encoded_samples=samples)
    return _plain_track([steps_TD], frames=sound.frames(fps), fps=fps, seconds=sound.seconds)


def _plain_track(steps: Iterable[Tensor], *, frames: int, fps: float, seconds: float) -> AudioTrack:
    pieces = frames_of_chunks(steps, frames=frames, fps=fps)
    return _track(pieces, frames=frames, fps=fps, seconds=seconds, hearing=_PLAIN)


def _track(pieces: Iterable[Tensor], *, frames: int, fps: float, seconds: float, hearing: str) -> AudioTrack:
    features_FD = joined(_cancellable(pieces), frames=frames)
    return AudioTrack(features_FD=features_FD, fps=fps, seconds=seconds, hearing=hearing)


def _cancellable(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
    for piece in pieces:
        stop_if_cancelled()
        yield piece
