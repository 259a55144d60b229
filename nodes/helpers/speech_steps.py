"""Speech features from ComfyUI's wav2vec2, or from its finished output.

    AudioEncoderLoader's -> normalised here, pieces of 50 s   \\
    AUDIO_ENCODER_OUTPUT -> as it is                           > (T50, (L + 2) D), 50 steps per second
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...cyberhost_core.controls.audio_windows import STEP_FIELD_SAMPLES, STEP_SAMPLES
from ...cyberhost_core.errors import AudioError, ConfigError
from ...cyberhost_core.units import SPEECH_RATE_HZ

_PIECE_STEPS, _CONTEXT_STEPS = 2500, 250  # 50 s, and 5 s on both sides; up to a minute goes in one piece
_VARIANCE_FLOOR = 1e-7  # wav2vec2's feature extractor
_NOT_WAV2VEC = "connect Load CyberHost's audio_encoder, or give Load Audio Encoder a wav2vec2 file"


def steps_of_encoder(encoder: Any, wave_T: np.ndarray) -> Iterator[Tensor]:
    """Describe a sound with a native AUDIO_ENCODER, piece by piece.

    Shapes:   wave_T (T,) mono at 16 kHz; each piece (steps, (L + 2) D)
    Raises:   ConfigError: it is no wav2vec2 encoder
    """
    if "whisper" in type(getattr(encoder, "model", None)).__name__.lower():
        raise ConfigError(
            "The audio encoder is a Whisper from Load Audio Encoder, but it makes other features than any "
            "checkpoint here was trained with; connect Load CyberHost's audio_encoder: a checkpoint that "
            "hears with Whisper brings its own."
        )
    if not hasattr(encoder, "encode_audio"):
        raise ConfigError(f"The audio encoder is a {type(encoder).__name__}, not a wav2vec2; {_NOT_WAV2VEC}.")
    return _steps_of_native(encoder, torch.from_numpy(wave_T))


def steps_of_output(encoded: Mapping[str, Any]) -> tuple[Tensor, int]:
    """Read a native AUDIO_ENCODER_OUTPUT: its steps (T50, (L + 2) D), and the samples at 16 kHz they cover.

    Source:   CyberHost (ICLR 2025) appendix E: every hidden state, then the last one once more
    Raises:   ConfigError: made by another kind of encoder, or from several sounds at once
    """
    samples = int(encoded["audio_samples"])
    return _side_by_side(encoded["encoded_audio_all_layers"], samples=samples), samples


def _steps_of_native(encoder: Any, wave_T: Tensor) -> Iterator[Tensor]:
    # ComfyUI leaves this out for wav2vec2-base, whose feature extractor does it at Hugging Face.
    wave_T = (wave_T - wave_T.mean()) / torch.sqrt(wave_T.var(correction=0) + _VARIANCE_FLOOR)
    wave_T = torch.nn.functional.pad(wave_T, (0, max(STEP_FIELD_SAMPLES - len(wave_T), 0)))
    steps = _steps_in(len(wave_T))
    piece = steps if steps <= _PIECE_STEPS + 2 * _CONTEXT_STEPS else _PIECE_STEPS
    for start in range(0, steps, piece):
        stop = min(start + piece, steps)
        first, last = max(start - _CONTEXT_STEPS, 0), min(stop + _CONTEXT_STEPS, steps)
        heard_T = wave_T[first * STEP_SAMPLES : (last - 1) * STEP_SAMPLES + STEP_FIELD_SAMPLES]
        with torch.no_grad():
            output = encoder.encode_audio(heard_T[None, None], SPEECH_RATE_HZ)
        states = _side_by_side(output["encoded_audio_all_layers"], samples=len(heard_T))
        yield states[start - first : stop - first]


def _side_by_side(layers: Sequence[Tensor], *, samples: int) -> Tensor:
    """Join L + 1 hidden states and the last once more, after a look at whether they are wav2vec2's."""
    expected = _steps_in(max(samples, STEP_FIELD_SAMPLES))
    if len(layers) < 2 or len(layers[0]) != 1 or layers[0].shape[1] != expected:
        found = [len(layers), *layers[0].shape] if layers else []
        raise ConfigError(
            f"The encoded audio has the shape {found} (states, sounds, steps, width), but 1 sound of "
            f"{expected} steps was expected for {samples / SPEECH_RATE_HZ:.2f} s; {_NOT_WAV2VEC}, and one "
            "sound at a time."
        )
    return torch.cat([*layers, layers[-1]], dim=-1)[0].float().cpu()


def _steps_in(samples: int) -> int:
    return (samples - STEP_FIELD_SAMPLES) // STEP_SAMPLES + 1


def require_same_length(samples: int, *, encoded_samples: int) -> None:
    """Refuse features of another sound than the one that is given beside them.

    Raises:   AudioError: the lengths differ by more than 20 ms
    """
    if not math.isclose(samples, encoded_samples, abs_tol=STEP_SAMPLES):
        raise AudioError(
            f"The audio lasts {samples / SPEECH_RATE_HZ:.2f} s, but the encoded audio was made from one of "
            f"{encoded_samples / SPEECH_RATE_HZ:.2f} s; encode this audio, or disconnect one of the two."
        )
