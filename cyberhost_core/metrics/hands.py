"""Hands: are they there, how sure is the detector, and do they move?

    frames --pose detector--> 2 x 21 points per frame --> presence, HKC, HKV

A high HKC with a low HKV is a hand that is drawn well because it never moves; read the two together.
"""

from dataclasses import dataclass

import numpy as np

from ..controls.regions import enclosing_boxes
from ..types import SEEN, Pose


@dataclass(frozen=True)
class HandScore:
    """Hold what the detector sees of both hands of one clip.

    Units:    hkc: mean confidence 0..1, higher is better; hkv_px: px of the pose's canvas, higher is
              livelier; presence 0..1: mean share of frames, over both hands, that show the hand
    """

    hkc: float
    hkv_px: float
    presence: float


def hand_score(pose: Pose) -> HandScore:
    """Score both hands of one clip.

    Shapes:   pose of F frames
    Units:    see HandScore
    Source:   CyberHost (ICLR 2025) section 4.1, "Hand Keypoint Confidence" and "Hand Keypoint Variance"
    Reads:    HKV, "the standard deviation of hand keypoint coordinates within a video segment": of x and of y
              over time, per keypoint, then the mean over axes and keypoints. Unseen points are left out of
              it, since their coordinates are noise; a point seen in fewer than two frames adds none. HKC is
              over all points, seen or not
    Departs:  one value per clip, not per segment of unknown length
    """
    hands = (pose.left_hand_FKC, pose.right_hand_FKC)
    points_FKC = np.concatenate(hands, axis=1)
    shown = [~np.isnan(enclosing_boxes(hand_FKC)).any(axis=1) for hand_FKC in hands]
    return HandScore(
        hkc=float(points_FKC[..., 2].mean()), hkv_px=_deviation(points_FKC), presence=float(np.mean(shown))
    )


def _deviation(points_FKC: np.ndarray) -> float:
    seen_FK = points_FKC[..., 2] >= SEEN
    often_K = seen_FK.sum(axis=0) >= 2
    if not often_K.any():
        return 0.0
    places = np.where(seen_FK[..., None], points_FKC[..., :2].astype(np.float64), np.nan)[:, often_K]
    return float(np.nanstd(places, axis=0).mean())
