"""BA: do the hands come to rest when the voice begins something?

    onsets of the sound, beats of the motion (gesture_beats) --nearest, both ways--> BA
    the same beats, shifted in time -----------------------------------------------> what chance gives

How many beats a motion has moves BA too: hands that tremble have a beat near everything. So BA is taken both
ways, and chance stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError

SIGMA_SECS = 0.1
SHIFTS = 16  # of the beats in time, to see what chance gives
MOST_LAG_SECS, LAG_STEP_SECS = 0.3, 0.02


@dataclass(frozen=True, kw_only=True)
class BeatAlignment:
    """Hold how well the beats of one motion go with the onsets of a sound.

    Units:    0..1; score: BA, the harmonic mean of both ways; sound_to_motion: has every onset a motion beat?
              motion_to_sound: has every motion beat an onset? chance: BA of the same beats, shifted in time.
              NaN when the sound has no onsets. reason: why there is no score, or 0; empty otherwise
    """

    score: float
    sound_to_motion: float
    motion_to_sound: float
    chance: float
    reason: str = ""

    @property
    def above_chance(self) -> float:
        """What the score has beyond chance, of what it could have: 1 perfect, 0 chance."""
        return 0.0 if self.chance == 1.0 else (self.score - self.chance) / (1.0 - self.chance)


def beat_alignment(
    motion_B: np.ndarray,
    audio_B: np.ndarray,
    *,
    duration_secs: float,
    lag_secs: float = 0.0,
    sigma_secs: float = SIGMA_SECS,
) -> BeatAlignment:
    """Score how near the beats of a motion and the onsets of a sound are to each other.

    One way: the mean over beats of exp(-d^2 / (2 sigma^2)), d the distance to the nearest beat of the
    other kind.

    Shapes:   motion_B, audio_B: times, any number, in order
    Units:    seconds; beats outside 0..duration_secs are left out; lag_secs: how much later than the
              sound the motion is expected, 0 in the papers
    Raises:   ConfigError: sigma or duration not above 0
    Source:   Li et al. 2021, "AI Choreographer" (motion to sound, sigma 3 frames of 60 per second);
              TalkSHOW (Yi et al. 2023) and BEAT (Liu et al. 2022) (sound to motion; TalkSHOW: sigma 0.1
              s)
    Reads:    EMO2 does not say which way it goes. Each alone can be won without listening: sound to
              motion by beats everywhere, motion to sound by a single beat on one onset. Their harmonic
              mean is 1 only when both kinds of beats are the same, and equals both ways when they are
              equal, as for beats that are all off by the same little time
    """
    if not (sigma_secs > 0 and duration_secs > 0):
        raise ConfigError(
            f"Beat alignment got a sigma of {sigma_secs} s and a duration of {duration_secs} s; "
            "give both above 0."
        )
    sound = _inside(np.asarray(audio_B, dtype=np.float64), duration_secs)
    motion = _inside(np.asarray(motion_B, dtype=np.float64) - lag_secs, duration_secs)
    if not len(sound):
        unknown = float("nan")
        return BeatAlignment(
            score=unknown, sound_to_motion=unknown, motion_to_sound=unknown, chance=unknown,
            reason="the sound has no onsets",
        )  # fmt: skip
    if not len(motion):
        return BeatAlignment(
            score=0.0, sound_to_motion=0.0, motion_to_sound=0.0, chance=0.0,
            reason="the motion has no beats: the hands stand still, or never slow down",
        )  # fmt: skip
    shifts = duration_secs * np.arange(1, SHIFTS + 1) / (SHIFTS + 1)
    shifted = [_harmonic(*_both_ways(sound, (motion + by) % duration_secs, sigma_secs)) for by in shifts]
    ways = _both_ways(sound, motion, sigma_secs)
    return BeatAlignment(
        score=_harmonic(*ways),
        sound_to_motion=ways[0],
        motion_to_sound=ways[1],
        chance=float(np.mean(shifted)),
    )


def usual_lag(clips: Sequence[tuple[np.ndarray, np.ndarray, float]]) -> float:
    """Find how much later than the sound true motion has its beats: the lag at which their BA is highest.

    To be measured on true motion once, and then used for everything: generated, shifted, of other sounds.

    Shapes:   clips: motion_B, audio_B and duration of each
    Units:    seconds, -0.3 to 0.3 in steps of 0.02; the smallest of equal ones
    Source:   ours
    """
    steps = round(MOST_LAG_SECS / LAG_STEP_SECS)
    lags = sorted((LAG_STEP_SECS * number for number in range(-steps, steps + 1)), key=abs)

    def mean_score(lag: float) -> float:
        wrapped = [((motion - lag) % duration, audio, duration) for motion, audio, duration in clips]
        found = [
            _harmonic(*_both_ways(_inside(audio, end), motion, SIGMA_SECS)) for motion, audio, end in wrapped
        ]
        return round(float(np.mean(found)), 9)

    return max(lags, key=mean_score)


def _both_ways(sound: np.ndarray, motion: np.ndarray, sigma_secs: float) -> tuple[float, float]:
    """Score every onset by the nearest motion beat, and every motion beat by the nearest onset."""
    if not (len(sound) and len(motion)):
        return 0.0, 0.0
    distance = np.abs(sound[:, None] - motion[None])
    near = np.exp(-(distance**2) / (2.0 * sigma_secs**2))
    return float(near.max(axis=1).mean()), float(near.max(axis=0).mean())


def _harmonic(one: float, other: float) -> float:
    return 2.0 * one * other / (one + other) if one + other > 0 else 0.0


def _inside(times: np.ndarray, duration_secs: float) -> np.ndarray:
    return times[(times >= 0.0) & (times < duration_secs)]
