"""Measure how loud a voice is in chosen bands at every video frame, and where its beats are.

wave 16 kHz -> power spectra every 10 ms -> level per band -> one value per video frame
level of the voice -> loudness 0..1 -> its rises = onsets = gesture beats
"""

from dataclasses import dataclass

import numpy as np

from ..units import SPEECH_RATE_HZ

STEP_SAMPLES = 160  # 10 ms
WINDOW_SAMPLES = 400  # 25 ms, the usual window of speech analysis
STEPS_PER_SEC = SPEECH_RATE_HZ / STEP_SAMPLES
SILENT_LEVEL = 1e-4  # root mean square (-80 dBFS) below which a sound holds no voice at all


@dataclass(frozen=True)
class Prosody:
    """Hold loudness and beats of a voice.

    Shapes:   energy_F (F,), onset_F (F,)
    Units:    0..1; energy is smoothed over about 0.2 s, onset is its rise
    """

    energy_F: np.ndarray
    onset_F: np.ndarray


def prosody(wave_T: np.ndarray, *, fps: float, frames: int) -> Prosody:
    """Find loudness and beats of a 16 kHz voice, frame by frame."""
    level = band_levels(wave_T, bands_hz=((100, 4000),))[:, 0]
    loudest = max(float(np.percentile(level, 97)), SILENT_LEVEL)
    smooth = smoothed(np.clip(level / loudest, 0, 1), steps=21)
    energy = at_frames(smooth, fps=fps, frames=frames)
    rise = np.maximum(np.diff(smooth, prepend=0.0), 0)
    onset = at_frames(smoothed(rise, steps=15), fps=fps, frames=frames)
    return Prosody(energy, onset / max(float(onset.max(initial=0)), 1e-3))


def band_levels(wave_T: np.ndarray, *, bands_hz: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Measure the root mean square in each band every 10 ms.

    Shapes:   wave_T (T,) 16 kHz; result (steps, bands), step s is centred on sample s * 160
    Units:    same as the wave: 1.0 is full scale
    """
    padded = np.pad(np.asarray(wave_T, np.float64), WINDOW_SAMPLES)
    steps = max(1, len(wave_T) // STEP_SAMPLES + 1)
    first = WINDOW_SAMPLES // 2 + STEP_SAMPLES * np.arange(steps)
    window = np.hanning(WINDOW_SAMPLES)
    pieces = padded[np.minimum(first[:, None] + np.arange(WINDOW_SAMPLES), len(padded) - 1)] * window
    power = np.abs(np.fft.rfft(pieces)) ** 2 * (2.0 / (window.sum() ** 2))
    hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / SPEECH_RATE_HZ)
    return np.stack([np.sqrt(power[:, (hz >= low) & (hz < high)].sum(1)) for low, high in bands_hz], axis=1)


def at_frames(steps_S: np.ndarray, *, fps: float, frames: int, after: float = 0.0) -> np.ndarray:
    """Average a 10 ms track over each video frame's own time; beyond the end of the sound it is `after`."""
    # Step s stands for the 10 ms around s * 10 ms, so that it begins half a step earlier.
    edges = np.arange(frames + 1) / fps * STEPS_PER_SEC + 0.5
    beyond = max(0, int(np.ceil(edges[-1])) - len(steps_S))
    summed = np.concatenate([[0.0], np.cumsum(np.pad(steps_S, (0, beyond), constant_values=after))])
    total = np.interp(edges, np.arange(len(summed)), summed)
    return np.diff(total) * fps / STEPS_PER_SEC


def smoothed(track_S: np.ndarray, *, steps: int) -> np.ndarray:
    """Average a track over an odd number of steps, the middle ones most; its length stays, beyond it is 0."""
    window = np.hanning(steps + 2)[1:-1]
    return np.convolve(np.pad(track_S, steps // 2), window / window.sum(), mode="valid")
