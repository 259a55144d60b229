"""Lip sync: do the lips of a video open when the voice does?

    frames --pose detector--> inner lips 62-66 / distance of the eyes = measured opening --+
    voice  --puppets.speech.mouth_shape--------------------------> true opening -----------+--> correlation

Made for puppets, whose true opening is known from the sound alone. For people, SyncNet's SyncC and SyncD are
the usual measure (CyberHost section 4.1), which need a network that was trained on people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import SEEN
from .statistics import pearson

MOST_LAG_FRAMES = 3
LEAST_SEEN_SHARE = 0.5  # a mouth seen in fewer frames has no lip sync
UPPER_INNER_LIP, LOWER_INNER_LIP = 62, 66  # iBUG
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)


@dataclass(frozen=True)
class LipSync:
    """Hold the lip sync of one clip.

    Units:    correlation -1..1 at lag 0, higher is better; best_lag_frames: the lag of the highest
              correlation, above 0 when the lips come late; seen_share 0..1 of the frames
    """

    correlation: float
    best_lag_frames: int
    seen_share: float


def mouth_opening(face_FKC: np.ndarray) -> np.ndarray:
    """Measure how far the mouth is open, frame by frame.

    Shapes:   face_FKC (F, 68, 3); result (F,), NaN where lips or eyes are not seen
    Units:    distances of the eyes; >= 0
    Source:   iBUG's 68 points: 62 and 66 are the middles of the inner lips
    """
    face = np.asarray(face_FKC, dtype=np.float64)
    right_F2, left_F2 = face[:, RIGHT_EYE, :2].mean(axis=1), face[:, LEFT_EYE, :2].mean(axis=1)
    size_F = np.linalg.norm(left_F2 - right_F2, axis=1)
    gap_F = np.linalg.norm(face[:, LOWER_INNER_LIP, :2] - face[:, UPPER_INNER_LIP, :2], axis=1)
    needed = [UPPER_INNER_LIP, LOWER_INNER_LIP, *range(RIGHT_EYE.start, LEFT_EYE.stop)]
    seen_F = (face[:, needed, 2] >= SEEN).all(axis=1) & (size_F > 0)
    return np.where(seen_F, gap_F / np.where(size_F > 0, size_F, 1.0), np.nan)


def lip_sync(measured_F: np.ndarray, true_F: np.ndarray) -> LipSync:
    """Compare the measured with the true opening of one clip.

    A frame whose mouth is not seen counts as the clip's mean opening: it says nothing, and so lowers the
    correlation in proportion. A clip that shows its mouth in fewer than half of the frames scores 0.

    Shapes:   measured_F (F,) from mouth_opening; true_F (F,)
    Units:    measured: any; true 0..1
    Source:   ours
    """
    seen_F = np.isfinite(measured_F)
    share = float(seen_F.mean())
    if share < LEAST_SEEN_SHARE:
        return LipSync(0.0, 0, share)
    filled_F = np.where(seen_F, measured_F, measured_F[seen_F].mean())
    lags = range(-MOST_LAG_FRAMES, MOST_LAG_FRAMES + 1)
    best = max(lags, key=lambda lag: (_at_lag(filled_F, true_F, lag), -abs(lag)))
    return LipSync(pearson(filled_F, true_F), best, share)


def shuffled_lip_sync(measured_F: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """Compare the lips with other voices: what a mouth reaches that moves but does not listen.

    The middle of every other voice is taken, because all utterances begin with silence and then a voice: from
    their beginnings, even perfect lips would correlate with the wrong voice by 0.17 over 60 frames.

    Shapes:   measured_F (F,); others: true openings of other utterances, each of F frames or more
    Units:    mean correlation, -1..1; near 0 is right
    Source:   ours; the idea of the control is SyncNet's (Chung and Zisserman 2016)
    """
    frames = len(measured_F)
    starts = [(len(other_F) - frames) // 2 for other_F in others]
    cut = [other_F[start : start + frames] for other_F, start in zip(others, starts, strict=True)]
    return float(np.mean([lip_sync(measured_F, other_F).correlation for other_F in cut]))


def _at_lag(measured_F: np.ndarray, true_F: np.ndarray, lag: int) -> float:
    """Correlate measured[frame + lag] with true[frame] over the frames that have both."""
    late, early = max(lag, 0), max(-lag, 0)
    frames = len(true_F)
    return pearson(measured_F[late : frames - early], true_F[early : frames - late])
