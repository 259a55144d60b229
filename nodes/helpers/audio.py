"""ComfyUI's AUDIO as the core's Sound.

{"waveform": (B, C, T), "sample_rate"} -> checked -> at most two channels -> Sound
"""

from collections.abc import Iterator, Mapping
from typing import Any

import av
import numpy as np
import torch

from ...cyberhost_core.errors import AudioError
from ...cyberhost_core.media.audio import Sound, float_converter, layout_of, mix_gain

_CHUNK_SAMPLES = 1 << 16


def sound_from_audio(audio: Mapping[str, Any]) -> Sound:
    """Read one AUDIO; more than two channels are mixed down to two, as files are.

    Shapes:   audio["waveform"] (1, C, T) or (C, T) float
    Raises:   AudioError: not an AUDIO, several sounds in one batch, empty, NaN, a rate or a number of
              channels that no recording has
    """
    wave_CT, rate_hz = _one_wave(audio)
    sound = Sound(wave_CT, rate_hz, name="The audio")
    return sound if len(wave_CT) <= 2 else Sound(_mixed_to_two(sound), rate_hz, name="The audio")


def _one_wave(audio: Mapping[str, Any]) -> tuple[np.ndarray, int]:
    try:
        # by key, never as a dict: other packs hand over mappings that decode when they are asked
        waveform, rate_hz = audio["waveform"], int(audio["sample_rate"])
    except (KeyError, TypeError) as error:
        raise AudioError(
            f"The audio came as {type(audio).__name__} without waveform and sample_rate, but ComfyUI's AUDIO "
            "was expected; connect Load Audio."
        ) from error
    wave_BCT = torch.as_tensor(waveform)
    if wave_BCT.ndim == 2:
        wave_BCT = wave_BCT[None]
    if wave_BCT.ndim != 3 or len(wave_BCT) != 1:
        raise AudioError(
            f"The audio has the shape {list(wave_BCT.shape)}, but one sound (1, channels, samples) was "
            "expected; a batch of several sounds makes several videos: send them one by one."
        )
    return np.ascontiguousarray(wave_BCT[0].detach().cpu().float().numpy()), rate_hz


def _mixed_to_two(sound: Sound) -> np.ndarray:
    """Mix down by FFmpeg's matrix, scaled so that full scale stays full scale."""
    pieces = [piece.to_ndarray().reshape(-1, 2) for piece in _converted(sound)]
    return np.ascontiguousarray(np.concatenate(pieces).T)


def _converted(sound: Sound) -> Iterator[av.AudioFrame]:
    channels, samples = sound.wave_CT.shape
    layout = layout_of(channels)
    convert = float_converter("stereo", rate_hz=sound.rate_hz)
    for start in range(0, samples, _CHUNK_SAMPLES):
        piece_CT = np.ascontiguousarray(sound.wave_CT[:, start : start + _CHUNK_SAMPLES])
        frame = av.AudioFrame.from_ndarray(piece_CT * mix_gain(channels), format="fltp", layout=layout)
        frame.sample_rate = sound.rate_hz
        yield from convert.resample(frame)
    yield from convert.resample(None)
