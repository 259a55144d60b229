"""Fit a hand track to the person of the reference picture: one scale and one shift for the whole track.

    shoulders in both        scale: ratio of the shoulder widths    anchor: between the shoulders (the neck)
    else a hand in both      scale: ratio of the palm sizes         anchor: the wrists of the hands in both

One similarity, so that gestures keep their form and the body's sway stays in the hands. Medians over the
track, so that single misdetected frames do not count.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import PoseError
from ..types import SEEN, Pose
from .parameters import HandParameters, joined
from .track import HandTrack

SHOULDERS = [2, 5]  # OpenPose: right, left
_WRIST, _KNUCKLES = 0, [5, 9, 13, 17]
_SHORTEST_PX = 1.0  # a shoulder width or palm below this says nothing about scale


@dataclass(frozen=True, eq=False)
class Similarity:
    """Hold a scale and the two places that it joins: anchor_2 of the track lands on target_2.

    Units:    px of the track's canvas and px of the reference's
    """

    scale: float
    anchor_2: np.ndarray
    target_2: np.ndarray

    def apply(self, points_FKC: np.ndarray) -> np.ndarray:
        """Move points; scores stay."""
        places = self.moved(points_FKC[..., :2])
        return np.concatenate([places, points_FKC[..., 2:]], axis=-1).astype(np.float32)

    def moved(self, places: np.ndarray) -> np.ndarray:
        """Move places (..., 2)."""
        return (places - self.anchor_2) * self.scale + self.target_2


def fit_track(pose: Pose, reference: Pose) -> Similarity:
    """Find how a track lands on the person of a one-frame reference.

    Shapes:   pose F frames, reference 1 frame; each on its own canvas
    Raises:   PoseError: neither shoulders nor a hand are seen in both
    """
    for anchors in (_shoulders, _hands):
        found = anchors(pose, reference)
        if found is not None:
            return found
    raise PoseError(
        "The hand track and the reference have neither both shoulders nor a hand in common, but one of them "
        "is needed to fit the track; take a reference picture that shows them, or another track."
    )


def align_track(
    track: HandTrack, reference: Pose, *, scale: float = 1.0, offset_px: tuple[float, float] = (0.0, 0.0)
) -> HandTrack:
    """Move a track onto the reference person and onto that picture's canvas.

    Units:    scale: on top of the fitted one, about the neck (or the wrists); offset_px: right and down, in
              px of the reference
    Raises:   PoseError: track and reference have nothing in common to fit by
    """
    fitted = fit_track(track.pose, reference)
    wanted = Similarity(fitted.scale * scale, fitted.anchor_2, fitted.target_2 + np.array(offset_px))
    parts = {
        name: wanted.apply(getattr(track.pose, name))
        for name in ("body_FKC", "face_FKC", "left_hand_FKC", "right_hand_FKC")
    }
    pose = Pose(**parts, height=reference.height, width=reference.width)
    made = track.parameters
    made = None if made is None else _aligned(made, wanted, track.pose, onto=reference)
    return replace(track, pose=pose, parameters=made)


def _aligned(made: HandParameters, wanted: Similarity, pose: Pose, *, onto: Pose) -> HandParameters:
    """Move parameters as their keypoints move: wrists, shoulders, limbs; by the scale alone sizes, depth."""
    size, target = np.array((pose.width, pose.height)), np.array((onto.width, onto.height))
    taller = wanted.scale * pose.height / onto.height
    places = made.translations().astype(np.float64)
    moved = wanted.moved(places[..., :2] * size) / target
    offset = made.offset_FD.astype(np.float64).reshape(len(made.offset_FD), 2, 4)
    shoulders = np.where(offset[..., :1] > 0, wanted.moved(offset[..., 1:3] * size) / target, 0.0)
    offset = np.concatenate([offset[..., :1], shoulders, offset[..., 3:]], axis=-1)
    limbs = made.limbs_FKC
    if limbs is not None:
        limbs = np.concatenate([wanted.moved(limbs[..., :2] * size) / target, limbs[..., 2:]], axis=-1)
        limbs = limbs * (limbs[..., 2:] > 0)
    return replace(
        made,
        vectors_FD=joined(made.quaternions(), np.concatenate([moved, places[..., 2:] * taller], axis=-1)),
        sizes_frac_FH=made.sizes_frac_FH * taller,
        offset_FD=offset.reshape(len(offset), -1),
        limbs_FKC=limbs,
    )


def _shoulders(pose: Pose, reference: Pose) -> Similarity | None:
    ours, theirs = _shoulder_places(pose), _shoulder_places(reference)
    if not len(ours) or not len(theirs):
        return None
    width, wanted = (float(np.median(_lengths(side[:, 0], side[:, 1]))) for side in (ours, theirs))
    if min(width, wanted) < _SHORTEST_PX:
        return None
    neck, target = (np.median(side.mean(axis=1), axis=0) for side in (ours, theirs))
    return Similarity(wanted / width, neck, target)


def _shoulder_places(pose: Pose) -> np.ndarray:
    """Both shoulders of the frames that show both, (F', 2, 2)."""
    pair_F2C = pose.body_FKC[:, SHOULDERS]
    return pair_F2C[(pair_F2C[..., 2] >= SEEN).all(axis=1), :, :2]


def _hands(pose: Pose, reference: Pose) -> Similarity | None:
    """Fit by the hands that both show: their palms for the scale, their wrists for the place."""
    ours = [_palm(hand_FKC) for hand_FKC in (pose.left_hand_FKC, pose.right_hand_FKC)]
    theirs = [_palm(hand_FKC) for hand_FKC in (reference.left_hand_FKC, reference.right_hand_FKC)]
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    if not pairs:
        return None
    (sizes, wrists), (wanted, targets) = (zip(*side, strict=True) for side in zip(*pairs, strict=True))
    return Similarity(
        float(np.mean(wanted) / np.mean(sizes)), np.mean(wrists, axis=0), np.mean(targets, axis=0)
    )


def _palm(hand_FKC: np.ndarray) -> tuple[float, np.ndarray] | None:
    """The palm's median size and its wrist's median place; None where no frame shows both."""
    wrist_F1C, knuckles_F4C = hand_FKC[:, [_WRIST]], hand_FKC[:, _KNUCKLES]
    seen_F = (wrist_F1C[:, 0, 2] >= SEEN) & (knuckles_F4C[..., 2] >= SEEN).all(axis=1)
    if not seen_F.any():
        return None
    size = float(np.median(_lengths(wrist_F1C[seen_F], knuckles_F4C[seen_F])))
    place_2 = np.median(wrist_F1C[seen_F, 0, :2], axis=0)
    return (size, place_2) if size >= _SHORTEST_PX else None


def _lengths(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return np.linalg.norm(end[..., :2] - start[..., :2], axis=-1)
