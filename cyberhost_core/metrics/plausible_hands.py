"""Plausible hands: is what the detector found a hand at all, or a mitten, a fork, a smear?

    gestures of the puppets' hand skeleton --> some thousand hands, each about its own middle = library
    detected hand --best turn, size, place (Umeyama)--> every library hand --> the nearest few
        (by all points, and by all but those of one finger)
                  --fit again to the points that fit--> share of finger points within 3 px of a real hand's

It flatters: a hand is 28 px long, so that 3 px are much to a fist, and a detector that was taught on hands
sees one in many a smear. Points that are 2 px off at random still score 0.8, points at random score 0.2.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..hands.kinematics import hand_keypoints
from ..hands.skeleton import SIDES, Side
from ..puppets.gesture import HAND_LENGTH_FRAC, gesture
from ..puppets.performance import random_performance
from ..puppets.prosody import Prosody
from ..types import HAND_POINTS, SEEN, Pose

TOLERANCE_FRAC = 3.0 / 128.0  # of the picture's height
SIZE_RANGE = (0.9, 1.12)  # of the standard puppet's hand: puppets' own sizes and a little for the detector
LIBRARY_PERFORMANCES, LIBRARY_FRAMES, BEAT_EVERY = 80, 240, 11
_KEEP_EVERY = 4  # neighbouring frames show almost the same hand
_FPS = 25
_NEAREST, _REFITS = 8, 2
_FINGERS = slice(1, HAND_POINTS)  # all but the wrist
# Points to find hands by: all, and all but one finger, because one lost finger would pull the fit away.
_LOOKS = np.ones((6, HAND_POINTS), dtype=bool)
for _finger in range(5):
    _LOOKS[1 + _finger, 1 + 4 * _finger : 5 + 4 * _finger] = False


@dataclass(frozen=True)
class Similarity:
    """Hold turns, sizes and places that carry library hands onto detected ones: z -> factor * z + shift.

    Points are complex numbers x + iy, so that one factor is both turn and size.

    Shapes:   factor, shift: complex, any shape
    """

    factor: np.ndarray
    shift: np.ndarray


def plausible_share(pose: Pose) -> float:
    """Give the share of finger points that lie where some real hand would have them.

    Every hand that is seen counts, with all of its 20 finger points; a point that is not seen is not
    plausible. How often hands are seen is another measure (hands.HandScore.presence), but a clip that never
    shows one has 0.

    Shapes:   pose of F frames
    Units:    0..1, higher is better
    Source:   ours; the fit is Umeyama 1991 in two dimensions, without reflection
    """
    fits = [
        plausible_points(getattr(pose, f"{side}_hand_FKC"), side=side, height=pose.height) for side in SIDES
    ]
    fingers = np.concatenate(fits)[:, _FINGERS]
    return float(fingers.mean()) if len(fingers) else 0.0


def plausible_points(hand_FKC: np.ndarray, *, side: Side, height: int) -> np.ndarray:
    """Tell which points of a hand fit the best hand of the library.

    Shapes:   hand_FKC (F, 21, 3); result (N, 21) bool, N frames in which at least half of the points are seen
    Units:    px of a picture of this height
    """
    seen_FK = hand_FKC[..., 2] >= SEEN
    shown_F = seen_FK.mean(axis=1) >= 0.5
    hands_NK, seen_NK = _complex(hand_FKC[shown_F, :, :2] / height), seen_FK[shown_F]
    library_LK = hand_library(side)
    looked_at_MNK = seen_NK & _LOOKS[:, None]
    nearest_MNL = np.stack([nearest_hands(hands_NK, look_NK, library_LK) for look_NK in looked_at_MNK])
    fits = np.zeros(hands_NK.shape, dtype=bool)
    for number, hand_K in enumerate(hands_NK):
        candidates = library_LK[nearest_MNL[:, number].reshape(-1)]
        looks = np.repeat(looked_at_MNK[:, number], _NEAREST, axis=0)
        fits[number] = _most_points(hand_K, seen_NK[number], candidates_LK=candidates, looks_LK=looks)
    return fits


@lru_cache(maxsize=2)
def hand_library(side: Side) -> np.ndarray:
    """Collect hands from gestures over many rolled performances, each about its own middle.

    Shapes:   result (L, 21) complex x + iy, y down
    Units:    picture heights
    """
    onset_F = np.zeros(LIBRARY_FRAMES)
    onset_F[BEAT_EVERY::BEAT_EVERY] = 1.0
    beats = Prosody(energy_F=np.ones(LIBRARY_FRAMES), onset_F=onset_F)
    still_F2 = np.zeros((LIBRARY_FRAMES, 2))
    hands = []
    for seed in range(LIBRARY_PERFORMANCES):
        performance = random_performance(seed)
        motion = gesture(performance, beats=beats, offset_F2=still_F2, hand_size=1.0, fps=_FPS)
        hands.append(hand_keypoints(motion.rotations[::_KEEP_EVERY, SIDES.index(side)], side=side))
    points = np.concatenate(hands)[..., :2] * (HAND_LENGTH_FRAC, -HAND_LENGTH_FRAC)
    library_LK = _complex(points)
    return library_LK - library_LK.mean(axis=1, keepdims=True)


def nearest_hands(hands_NK: np.ndarray, seen_NK: np.ndarray, library_LK: np.ndarray) -> np.ndarray:
    """Find the library hands with the least squared distance after the best turn, size and place.

    Shapes:   hands_NK (N, 21) complex; seen_NK (N, 21) bool; library_LK (L, 21) complex; result (N, 8)
              indices, nearest first
    """
    seen = seen_NK.astype(np.float64)
    count_N1 = seen.sum(axis=1, keepdims=True)
    centred = (hands_NK - (seen * hands_NK).sum(axis=1, keepdims=True) / count_N1) * seen
    own_N1 = (np.abs(centred) ** 2).sum(axis=1, keepdims=True)
    mean_NL = seen @ library_LK.T / count_N1
    size_NL = seen @ (np.abs(library_LK) ** 2).T - count_N1 * np.abs(mean_NL) ** 2
    match_NL = np.abs(centred @ library_LK.conj().T)  # the best turn makes the product real
    scale_NL = np.clip(match_NL / np.maximum(size_NL, 1e-12), *SIZE_RANGE)
    error_NL = own_N1 - 2 * scale_NL * match_NL + scale_NL**2 * size_NL
    some = np.argpartition(error_NL, _NEAREST, axis=1)[:, :_NEAREST]
    order = np.argsort(np.take_along_axis(error_NL, some, axis=1), axis=1)
    return np.take_along_axis(some, order, axis=1)


def fit_similarity(source_LK: np.ndarray, target_K: np.ndarray, *, weights_LK: np.ndarray) -> Similarity:
    """Fit turn, size (inside SIZE_RANGE) and place of each source to the target by weighted least squares.

    Shapes:   source_LK (L, K), target_K (K,) complex; weights_LK (L, K), some above 0 in every row; result
              (L, 1)
    Source:   Umeyama 1991; in the plane, complex numbers make turn and size one division
    """
    share = weights_LK / weights_LK.sum(axis=1, keepdims=True)
    source_middle = (share * source_LK).sum(axis=1, keepdims=True)
    target_middle = (share * target_K).sum(axis=1, keepdims=True)
    centred = source_LK - source_middle
    product = (share * centred.conj() * (target_K - target_middle)).sum(axis=1, keepdims=True)
    size = (share * np.abs(centred) ** 2).sum(axis=1, keepdims=True)
    turn = product / np.maximum(np.abs(product), 1e-12)
    factor = turn * np.clip(np.abs(product) / np.maximum(size, 1e-12), *SIZE_RANGE)
    return Similarity(factor, target_middle - factor * source_middle)


def _most_points(
    hand_K: np.ndarray, seen_K: np.ndarray, *, candidates_LK: np.ndarray, looks_LK: np.ndarray
) -> np.ndarray:
    """Fit each candidate to the points it was found by, then to those that fit; keep the one with most."""
    weights_LK = looks_LK.astype(np.float64)
    best = np.zeros(len(hand_K), dtype=bool)
    for _ in range(1 + _REFITS):
        fit = fit_similarity(candidates_LK, hand_K, weights_LK=weights_LK)
        near_LK = np.abs(fit.factor * candidates_LK + fit.shift - hand_K) <= TOLERANCE_FRAC
        near_LK &= seen_K
        counts_L = near_LK[:, _FINGERS].sum(axis=1)
        if counts_L.max() > best[_FINGERS].sum():
            best = near_LK[counts_L.argmax()]
        weights_LK = np.where(near_LK.any(axis=1, keepdims=True), near_LK, weights_LK)
    return best


def _complex(points: np.ndarray) -> np.ndarray:
    return points[..., 0] + 1j * points[..., 1]
