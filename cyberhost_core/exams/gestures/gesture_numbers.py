"""All measures of one set of motions: what a seed generated, or the true motions themselves.

joints -> beats --own onsets, other voices' onsets--> BA and its controls
joints of several takes ------------------------------> DIV      joints, true joints ----> PCK
joints -----------------------------------------------> amplitude    vectors, true vectors -> FGD
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics.beat_alignment import beat_alignment, usual_lag
from ...metrics.frechet_gesture import frechet_gesture_distance
from ...metrics.gesture_beats import motion_beats, motion_strokes
from ...metrics.gesture_features import GestureFeatures
from ...metrics.hand_joints import amplitude, mean_where_known
from ...metrics.keypoint_accuracy import pck_of_hand
from ...metrics.motion_diversity import diversity

Numbers = dict[str, float]


@dataclass(frozen=True, eq=False)
class Motion:
    """Hold one motion in the two forms that the measures take: hand_joints makes both.

    Shapes:   vectors_FD (F, 134); joints_FHKC (F, 2, 21, 3); NaN for a hand that is not there
    Units:    joints: picture heights
    """

    vectors_FD: np.ndarray
    joints_FHKC: np.ndarray


Takes = Sequence[Sequence[Motion]]  # voice, then take: several motions for one sound


@dataclass(frozen=True, eq=False, kw_only=True)
class GestureTruth:
    """Hold what generated motions are held against.

    Shapes:   takes: for every voice its true motions, two or more for DIV's truth; onsets: for every
              voice, see gesture_beats.audio_beats
    Units:    onsets: seconds; features: None leaves FGD out
    """

    takes: Takes
    onsets: Sequence[np.ndarray]
    fps: float
    features: GestureFeatures | None = None


def measure_motions(takes: Takes, truth: GestureTruth, *, lag_secs: float) -> Numbers:
    """Take all measures of generated motions.

    Shapes:   takes: for every voice of the truth, in its order, one or more motions of the true ones' length
    Units:    by name, see gesture_report; NaN for what cannot be measured, such as DIV of single motions
    Raises:   ConfigError: motions of another shape or length; too few windows for FGD
    """
    numbers = _beats_and_spread(takes, truth, lag_secs=lag_secs)
    numbers["pck"] = _mean(
        [
            pck_of_hand(motion.joints_FHKC, true[0].joints_FHKC)
            for motions, true in zip(takes, truth.takes, strict=True)
            for motion in motions
        ]
    )
    numbers["fgd"] = _distance(takes, truth.takes, features=truth.features)
    return numbers


def measure_truth(truth: GestureTruth, *, lag_secs: float) -> Numbers:
    """Take the same measures of true motions, the first of every voice held against its others."""
    first, others = [true[:1] for true in truth.takes], [true[1:] for true in truth.takes]
    numbers = _beats_and_spread(truth.takes, truth, lag_secs=lag_secs)
    enough = all(len(true) > 1 for true in truth.takes)
    held = measure_motions(others, truth, lag_secs=lag_secs)["pck"] if enough else float("nan")
    distance = _distance(first, others, features=truth.features) if enough else float("nan")
    return numbers | {"pck": held, "fgd": distance}


def true_lag(truth: GestureTruth) -> float:
    """How much later than the sound true motion has its beats, in seconds."""
    clips = [
        (motion_beats(motion.joints_FHKC, fps=truth.fps), onsets, len(motion.joints_FHKC) / truth.fps)
        for motions, onsets in zip(truth.takes, truth.onsets, strict=True)
        for motion in motions
    ]
    return usual_lag(clips)


def _beats_and_spread(takes: Takes, truth: GestureTruth, *, lag_secs: float) -> Numbers:
    numbers = _beat_numbers(takes, truth, lag_secs=lag_secs)
    several = [[motion.joints_FHKC for motion in motions] for motions in takes if len(motions) > 1]
    diversities = [diversity(joints) for joints in several]
    numbers["div"] = _mean([one.pairwise for one in diversities])
    numbers["div_moving"] = _mean([one.moving for one in diversities])
    wrists = [amplitude(motion.joints_FHKC) for motions in takes for motion in motions]
    numbers["amplitude"] = _mean(list(np.concatenate(wrists)))
    return numbers


def _beat_numbers(takes: Takes, truth: GestureTruth, *, lag_secs: float) -> Numbers:
    found = [
        _alignments(motion, voice, truth=truth, lag_secs=lag_secs)
        for voice, motions in enumerate(takes)
        for motion in motions
    ]
    numbers = {name: _mean([one[name] for one in found]) for name in found[0]}
    for control in ("time_shifted", "other_sound"):
        numbers[f"ba_over_{control}"] = numbers["ba"] - numbers[f"ba_{control}"]
    return numbers


def _alignments(motion: Motion, voice: int, *, truth: GestureTruth, lag_secs: float) -> Numbers:
    """Hold one motion's beats against its own sound and against every other."""
    fps, onsets = truth.fps, truth.onsets
    duration = len(motion.joints_FHKC) / fps
    beats, strokes = motion_beats(motion.joints_FHKC, fps=fps), motion_strokes(motion.joints_FHKC, fps=fps)
    own = beat_alignment(beats, onsets[voice], duration_secs=duration, lag_secs=lag_secs)
    others = []
    for other, times in enumerate(onsets):
        if other != voice:
            both = min(duration, len(truth.takes[other][0].joints_FHKC) / fps)
            others.append(beat_alignment(beats, times, duration_secs=both, lag_secs=lag_secs).score)
    return {
        "ba": own.score,
        "ba_time_shifted": own.chance,
        "ba_above_chance": own.above_chance,
        "ba_other_sound": _mean(others),
        "ba_sound_to_motion": own.sound_to_motion,
        "ba_motion_to_sound": own.motion_to_sound,
        "ba_no_lag": beat_alignment(beats, onsets[voice], duration_secs=duration).score,
        "stroke_alignment": beat_alignment(strokes, onsets[voice], duration_secs=duration).score,
        "no_beats": float(len(beats) == 0),
    }


def _distance(generated: Takes, true: Takes, *, features: GestureFeatures | None) -> float:
    if features is None:
        return float("nan")
    return frechet_gesture_distance(
        features,
        generated=[motion.vectors_FD for motions in generated for motion in motions],
        true=[motion.vectors_FD for motions in true for motion in motions],
    )


def _mean(values: Sequence[float]) -> float:
    return float(mean_where_known(np.array(values, dtype=np.float64), axes=(0,)))
