"""Beats: when a sound begins something, and when hands come to rest.

sound --librosa.onset--> times of onsets
joints -> mean speed --deep minima--> motion beats
                     --high peaks---> strokes
"""

import numpy as np

from ..errors import AudioError, require_extra
from ..media.audio import SILENCE_PEAK
from .hand_joints import mean_speed

LEAST_GAP_SECS = 0.14  # hands do not come to rest more often than this
LEAST_DROP = 0.25  # of the mean speed: how far a minimum lies below the peaks on both sides of it
_HOP_SECS = 0.01


def audio_beats(wave_T: np.ndarray, *, rate_hz: int) -> np.ndarray:
    """Find the onsets of a sound.

    Shapes:   wave_T (T,) mono, -1..1; result (B,)
    Units:    seconds, to about 10 ms; none for silence
    Raises:   MissingExtraError: librosa is not installed; AudioError: not one channel
    Source:   librosa.onset.onset_detect (McFee et al. 2015), with its own settings
    """
    try:
        import librosa  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise require_extra("librosa", extra="audio", purpose="Finding the onsets of a sound") from error
    wave = np.asarray(wave_T, dtype=np.float32)
    if wave.ndim != 1:
        raise AudioError(
            f"A sound came as an array of shape {wave.shape}, but one channel was expected; mix it."
        )
    if np.abs(wave).max(initial=0.0) < SILENCE_PEAK:  # librosa would find onsets in the noise of silence
        return np.zeros(0)
    hop = round(_HOP_SECS * rate_hz)
    return np.asarray(librosa.onset.onset_detect(y=wave, sr=rate_hz, hop_length=hop, units="time"))


def motion_beats(joints_FHKC: np.ndarray, *, fps: float) -> np.ndarray:
    """Find when the hands come to rest: deep minima of the mean speed of their joints.

    A hold counts from the moment at which the hands stop. Hands that are not there make no beat.

    Shapes:   joints_FHKC (F, 2, 21, 3) joints in any unit, of the first frame at 0 s; result (B,)
    Units:    seconds
    Source:   Li et al. 2021, "AI Choreographer": kinematic beats are the local minima of the kinetic velocity
    Departs:  a minimum must lie a quarter of the mean speed below the peaks beside it, and 0.14 s from any
              deeper one, so that trembling is not beating
    """
    return _minima(mean_speed(joints_FHKC, fps=fps), fps=fps)


def motion_strokes(joints_FHKC: np.ndarray, *, fps: float) -> np.ndarray:
    """Find when the hands are fastest: peaks of the mean speed of their joints, as clear as the minima are.

    Shapes:   as motion_beats
    Units:    seconds
    Source:   ours; the stroke is the phase of a gesture that goes with the stressed syllable (McNeill 1992)
    """
    return _minima(-mean_speed(joints_FHKC, fps=fps), fps=fps)


def _minima(speed_F: np.ndarray, *, fps: float) -> np.ndarray:
    """Find the times of deep minima; each stretch in which hands are there stands for itself."""
    known_F = np.isfinite(speed_F)
    if not known_F.any():
        return np.zeros(0)
    least_drop = LEAST_DROP * float(np.abs(speed_F[known_F]).mean())
    edges = np.flatnonzero(np.diff(known_F, prepend=False, append=False))
    frames: list[int] = []
    for start, stop in edges.reshape(-1, 2):
        stretch_F = speed_F[start:stop]
        deep = [place for place in _hollows(stretch_F) if _drop(stretch_F, place) >= least_drop]
        frames += [int(start) + place for place in _apart(deep, stretch_F, least=LEAST_GAP_SECS * fps)]
    return (np.array(frames, dtype=np.float64) + 0.5) / fps  # a speed lies between two frames


def _hollows(values_F: np.ndarray) -> list[int]:
    """List where values fall and then rise; of equal neighbours, the first."""
    firsts = np.flatnonzero(np.diff(values_F, prepend=np.nan) != 0)
    level = values_F[firsts]
    inner = (level[1:-1] < level[:-2]) & (level[1:-1] < level[2:])
    return [int(place) for place in firsts[1:-1][inner]]


def _drop(values_F: np.ndarray, place: int) -> float:
    """How far a minimum lies below the lower of the peaks beside it.

    On each side the highest value counts before one that is lower than the minimum itself.
    """
    value = values_F[place]
    before, after = values_F[:place][::-1], values_F[place + 1 :]
    peaks = []
    for side in (before, after):
        lower = np.flatnonzero(side < value)
        peaks.append(side[: lower[0] if len(lower) else len(side)].max(initial=value))
    return float(min(peaks) - value)


def _apart(places: list[int], values_F: np.ndarray, *, least: float) -> list[int]:
    """Keep the deepest, and then each next deepest that is far enough from all kept."""
    kept: list[int] = []
    for place in sorted(places, key=lambda place: values_F[place]):
        if all(abs(place - other) >= least for other in kept):
            kept.append(place)
    return sorted(kept)
