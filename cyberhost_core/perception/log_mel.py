"""Log-mel spectrograms as Whisper was trained on: how loud each of 80 pitches is, 100 times a second.

    wave 16 kHz --25 ms every 10 ms--> power (201) --mel filters--> (80) --log10, 8 decades--> about -1..1

The depth hangs on the loudest moment of the whole sound. So the pieces are held until the last is known:
32 kB per second of sound, half of the sound itself.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..units import SPEECH_RATE_HZ

HOP_SAMPLES = 160
FIELD_SAMPLES = 400
_DEPTH_DECADES = 8.0
_QUIETEST_POWER = 1e-10


def log_mel_chunks(wave_T: Tensor, *, mels: int, chunk: int) -> Iterator[Tensor]:
    """Describe a sound in pieces of `chunk` spectra; the last one may be shorter.

    Shapes:   wave_T (T,) mono at 16 kHz, T > 200; yields (mels, up to chunk), T // 160 spectra in all
    Source:   Whisper (arXiv 2212.04356) section 2.2; public code: Hann window, both ends mirrored, the last
              spectrum dropped
    """
    raw = list(_log_power(wave_T, mels=mels, chunk=chunk))
    floor = max(piece_CT.max() for piece_CT in raw) - _DEPTH_DECADES
    while raw:
        yield (torch.maximum(raw.pop(0), floor) + 4) / 4


def _log_power(wave_T: Tensor, *, mels: int, chunk: int) -> Iterator[Tensor]:
    from transformers.audio_utils import mel_filter_bank

    bank = mel_filter_bank(
        num_frequency_bins=FIELD_SAMPLES // 2 + 1,
        num_mel_filters=mels,
        min_frequency=0.0,
        max_frequency=SPEECH_RATE_HZ / 2,
        sampling_rate=SPEECH_RATE_HZ,
        norm="slaney",
        mel_scale="slaney",
    )
    filters_CN = torch.from_numpy(bank.T).float()
    window = torch.hann_window(FIELD_SAMPLES)
    spectra = len(wave_T) // HOP_SAMPLES
    for start in range(0, spectra, chunk):
        stop = min(start + chunk, spectra)
        first = start * HOP_SAMPLES - FIELD_SAMPLES // 2
        piece_T = _mirrored(wave_T, first, (stop - 1) * HOP_SAMPLES + FIELD_SAMPLES // 2)
        waves_NT = torch.stft(
            piece_T, FIELD_SAMPLES, HOP_SAMPLES, window=window, center=False, return_complex=True
        )
        yield (filters_CN @ waves_NT.abs().square()).clamp(min=_QUIETEST_POWER).log10()


def _mirrored(wave_T: Tensor, start: int, stop: int) -> Tensor:
    """Cut samples start .. stop - 1 out of a wave that goes on as its mirror image at both ends."""
    last = len(wave_T) - 1
    return wave_T[last - (last - torch.arange(start, stop).abs()).abs()]
