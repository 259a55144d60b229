"""Measures of clips that were shot with one guidance, and of true renders beside them.

frames --pose detector--> lips, hands --> lip sync, beats (BAS)
hands --fitted, windows, features--> FGD against true renders, Div.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import PoseError
from ...hands.fit import fitted_parameters
from ...metrics.beat_alignment import beat_alignment
from ...metrics.feature_diversity import feature_diversity
from ...metrics.frechet_gesture import LEAST_SAMPLES_PER_FEATURE, frechet_distance
from ...metrics.gesture_beats import audio_beats, motion_beats
from ...metrics.gesture_features import GestureFeatures, motion_features
from ...metrics.hand_joints import known_vectors, picture_joints
from ...metrics.lip_sync import lip_sync, mouth_opening, shuffled_lip_sync
from ...metrics.seams import seam_ratio
from ...puppets.speech import bundled_utterances
from ...puppets.world import FPS
from ...units import SPEECH_RATE_HZ
from ..puppets.takes import Clip, true_opening

Numbers = dict[str, float]  # NaN where a clip cannot answer


@dataclass(frozen=True, eq=False)
class Seen:
    """What was read off one clip; features of its windows, (N, D)."""

    numbers: Numbers
    features_ND: np.ndarray


@dataclass(frozen=True, eq=False)
class Heard:
    """What a voice asks for: true opening (F,) of the mouth, onsets (N,) in seconds."""

    opening_F: np.ndarray
    onsets: np.ndarray


def heard_voices() -> dict[str, Heard]:
    """Hear every held-out voice, by its name.

    Raises:   MissingExtraError: librosa is not installed
    """
    return {
        voice.name: Heard(true_opening(voice), audio_beats(voice.wave_T, rate_hz=SPEECH_RATE_HZ))
        for voice in bundled_utterances("held_out")
    }


def read_clip(clip: Clip, *, voices: Mapping[str, Heard], features: GestureFeatures, kept: int) -> Seen:
    """Take the measures that one clip has alone.

    voices: of all utterances, at least two
    Units:    kept: frames of a segment
    Source:   BAS: PAHA appendix B.5, Li et al. 2021: of motion beats, how near the next onset is, without a
              lag; EMO2's BA is both ways
    """
    name, frames = clip.actor.utterance.name, len(clip.frames_FYXC)
    lips_F = mouth_opening(clip.pose.face_FKC)
    others = [heard.opening_F for other, heard in voices.items() if other != name]
    numbers = {
        "lip_sync": lip_sync(lips_F, voices[name].opening_F[:frames]).correlation,
        "lip_sync_others": shuffled_lip_sync(lips_F, others),
        "seams": seam_ratio(clip.frames_FYXC, kept=kept) if frames > kept else float("nan"),
        "seconds_per_segment": clip.seconds / -(-frames // kept),
        "bas": float("nan"),
    }
    try:
        hands = fitted_parameters(clip.pose, fps=float(FPS), source=name)
    except PoseError:  # a clip without hands has no beats and no windows; it still has lips
        return Seen(numbers, np.zeros((0, features.config.features)))
    height, width = clip.frames_FYXC.shape[1:3]
    beats = motion_beats(picture_joints(hands, height=height, width=width), fps=float(FPS))
    onsets, duration_secs = voices[name].onsets, frames / FPS
    aligned = beat_alignment(beats, onsets[onsets < duration_secs], duration_secs=duration_secs)
    numbers["bas"] = aligned.motion_to_sound
    return Seen(numbers, motion_features(features, [known_vectors(hands)]))


def per_seed(clips: Mapping[int, Sequence[Seen]], name: str) -> np.ndarray:
    """Give a measure's mean over the clips of every seed, NaN left out."""
    return np.array([_known_mean([seen.numbers[name] for seen in of_seed]) for of_seed in clips.values()])


def pooled(clips: Mapping[int, Sequence[Seen]], true_ND: np.ndarray) -> Numbers:
    """Take the measures that need many windows, of all seeds together; NaN where there are too few.

    Shapes:   true_ND features of true renders' windows
    """
    windows_ND = np.concatenate([seen.features_ND for of_seed in clips.values() for seen in of_seed])
    least = LEAST_SAMPLES_PER_FEATURE * windows_ND.shape[1]
    enough = min(len(windows_ND), len(true_ND)) >= least
    return {
        "fgd": frechet_distance(windows_ND, true_ND) if enough else float("nan"),
        "div": feature_diversity(windows_ND) if len(windows_ND) > 1 else float("nan"),
    }


def _known_mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
