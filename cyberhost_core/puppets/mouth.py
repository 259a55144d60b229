"""Read how far a mouth is open, and how wide it is, from the sound alone.

The opening is defined on the sound and drawn exactly, so that every voice, also a real one, has one true
opening: the bench compares generated lips with it.

    wave -> level of 200-3500 Hz -> noise gate -> / 95th percentile -> attack, release -> opening per frame
         -> high band / low band -> width per frame ("ee" wide, "oo" narrow)
"""

from dataclasses import dataclass

import numpy as np

from .prosody import SILENT_LEVEL, at_frames, band_levels, smoothed

VOICE_HZ = (200, 3500)
LOW_HZ, HIGH_HZ = (200, 900), (1800, 4000)  # the first formant's region; the second formant of front vowels
ATTACK, RELEASE = 0.6, 0.35  # share of the way per 10 ms: 90 % after 25 ms and 55 ms, both under two frames
NEUTRAL_WIDTH = 0.5


@dataclass(frozen=True)
class MouthShape:
    """Hold the mouth over F frames.

    Shapes:   opening_F (F,), width_F (F,)
    Units:    0..1; opening 0 is shut; width 0 is pursed, 0.5 at rest, 1 is stretched
    """

    opening_F: np.ndarray
    width_F: np.ndarray


def mouth_shape(wave_T: np.ndarray, *, fps: float, frames: int) -> MouthShape:
    """Follow a voice with a mouth.

    Levels are relative to the loud parts of the same sound, so that a quiet recording opens the mouth as
    far as a loud one. Give the whole utterance and cut frames afterwards: a part has other loud parts.

    Shapes:   wave_T (T,) mono 16 kHz; result.opening_F (frames,), result.width_F (frames,)
    Units:    0..1, exactly 0 in silence; frames after the end of the sound are shut
    """
    voice, low, high = band_levels(wave_T, bands_hz=(VOICE_HZ, LOW_HZ, HIGH_HZ)).T
    loud = float(np.percentile(voice, 95))
    if loud < SILENT_LEVEL:
        return MouthShape(np.zeros(frames, np.float32), np.full(frames, NEUTRAL_WIDTH, np.float32))
    gate = _gate(voice, loud)
    opening = _follow(np.clip((voice - gate) / (0.9 * loud - gate), 0.0, 1.0))
    opening_F = at_frames(opening, fps=fps, frames=frames)
    opening_F = np.clip((opening_F - 0.03) / 0.9, 0.0, 1.0)
    width_F = at_frames(_width(low, high, opening), fps=fps, frames=frames, after=NEUTRAL_WIDTH)
    return MouthShape(opening_F.astype(np.float32), width_F.astype(np.float32))


def _gate(voice: np.ndarray, loud: float) -> float:
    """Find the level of silence: twice the background noise, but -34 to -20 dB of the loud parts."""
    noise = float(np.percentile(voice, 10))
    return float(np.clip(2.0 * noise, 0.02 * loud, 0.1 * loud))


def _follow(target: np.ndarray) -> np.ndarray:
    """Open fast, close a little slower, as lips do."""
    track, value = np.empty_like(target), 0.0
    for step, goal in enumerate(target):
        value += (ATTACK if goal > value else RELEASE) * (goal - value)
        track[step] = value
    return track


def _width(low: np.ndarray, high: np.ndarray, opening: np.ndarray) -> np.ndarray:
    """Balance of the spectrum against the utterance's own median; at rest where the mouth is shut."""
    balance = np.log((high + 1e-6) / (low + 1e-6))
    balance = balance - np.median(balance[opening > 0.1]) if (opening > 0.1).any() else np.zeros_like(balance)
    smooth = smoothed(np.tanh(balance / 1.5), steps=5)
    return NEUTRAL_WIDTH + 0.5 * smooth * np.clip(opening * 4.0, 0.0, 1.0)
