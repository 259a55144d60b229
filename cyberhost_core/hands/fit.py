"""Hand parameters from keypoints: the hand that our skeleton must hold to be seen so (inverse kinematics).

    keypoints of a hand --several starts--> Levenberg-Marquardt, all frames at once (hand_solver)
        --> each frame's best --> a few rounds towards the frames beside it --> HandParameters

Keypoints in a picture do not say how deep they are. What makes up for it: bones keep their length, fingers
bend one way, hands move smoothly. So the hand fits closely in the picture, and its depth is a good guess.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import numpy as np

from ..errors import PoseError
from ..types import SEEN, Pose
from . import quaternions
from .body_offset import body_offset
from .drawing.surface import rest_places
from .joints import matrices_of
from .parameters import DEPTH_FRAC, STANDARD_SIZE_FRAC, HandParameters, resting_vectors
from .skeleton import OPENPOSE, SIDES, rest_offsets
from .solver import Attempts, Goal, solved, starts, together
from .track import HandTrack

FEWEST_POINTS = 10  # a hand of which less is seen is taken as not there
_AT_ONCE = 200  # frames: bounds the memory, whatever the length
_COARSE_STEPS, _FINE_STEPS = 6, 14  # of all starts, of the best
_LONG_BONES = ((0, 5), (0, 9), (0, 13), (0, 17), (5, 6), (9, 10), (13, 14), (17, 18))  # keypoints
_LENGTH_FRAMES = 7  # how long bones look is averaged over as many, against the detector's noise
_FULLY_SEEN = 90  # percentile over frames of how long bones look: some time each lies across the view
_ROUNDS = 8
_PULL = 1 / np.deg2rad(4.0) ** 2  # turns are usually this near to the mean of the frames beside them
_MIRROR = np.array((1.0, -1.0, -1.0))
Progress = Callable[[int, int], None]  # pieces of work done, and in all


def fitted_parameters(
    pose: Pose, *, fps: float, source: str, progress: Progress | None = None
) -> HandParameters:
    """Find the hand parameters whose keypoints are those of a pose.

    progress: told after every piece of work, so that a caller can show it, or stop by raising

    Shapes:   pose of F frames
    Units:    one size per hand and track; the wrists' depth is 0.2 throughout; offset from the shoulders
    Raises:   PoseError: no frame shows enough of a hand
    Departs:  EMO2 has its parameters from a detector of meshes, and says no more. How far these are off on
              puppets is in docs/hand-tracks.md
    """
    frames = len(pose)
    vectors = resting_vectors(frames).reshape(frames, len(SIDES), -1)
    valid_FH = np.zeros((frames, len(SIDES)), dtype=bool)
    sizes_FH = np.full((1, len(SIDES)), STANDARD_SIZE_FRAC)
    tick = _counter(progress, len(SIDES) * (len(_parts(frames)) + _ROUNDS))
    for hand, points_FKC in enumerate((pose.left_hand_FKC, pose.right_hand_FKC)):
        shown_F = (points_FKC[..., 2] >= SEEN).sum(axis=1) >= FEWEST_POINTS
        if shown_F.any():
            turns, wrists_F2, size_px = _fitted_hand(
                points_FKC[shown_F], left=SIDES[hand] == "left", tick=tick
            )
            places = np.column_stack([wrists_F2 / (pose.width, pose.height), np.full(len(turns), DEPTH_FRAC)])
            vectors[shown_F, hand] = np.concatenate([turns.reshape(len(turns), -1), places], axis=1)
            valid_FH[:, hand], sizes_FH[0, hand] = shown_F, size_px / pose.height
    if not valid_FH.any():
        raise PoseError(
            f"The pose from {source} shows {FEWEST_POINTS} points of a hand in none of its {frames} frames, "
            "but at least one was expected; take a video in which the hands are visible."
        )
    return HandParameters(
        vectors.reshape(frames, -1),
        valid_FH,
        fps=fps,
        source=source,
        sizes_frac_FH=sizes_FH,
        offset_FD=body_offset(pose),
    )


def with_parameters(track: HandTrack, *, progress: Progress | None = None) -> HandTrack:
    """Give a track parameters, fitted to its keypoints where it has none.

    progress: see fitted_parameters

    Raises:   PoseError: no frame shows enough of a hand
    """
    if track.parameters is not None:
        return track
    made = fitted_parameters(track.pose, fps=track.fps, source=track.source, progress=progress)
    return replace(track, parameters=made)


def hand_length_px(points_FKC: np.ndarray, seen_FK: np.ndarray) -> float:
    """Estimate a hand's length from its long bones, which look shorter than they are in most frames.

    Shapes:   points_FKC (F, 21, 3) OpenPose; seen_FK (F, 21) bool
    Units:    px, wrist to middle tip of a straight hand, at least 1
    """
    rest = rest_places(rest_offsets("right"))[list(OPENPOSE)]
    start, end = np.array(_LONG_BONES).T
    true_B = np.linalg.norm(rest[end] - rest[start], axis=-1)
    looks_FB = np.linalg.norm(points_FKC[:, end, :2] - points_FKC[:, start, :2], axis=-1) / true_B
    looks_FB = np.where(seen_FK[:, start] & seen_FK[:, end], looks_FB, 0.0)
    around = (_LENGTH_FRAMES // 2, (_LENGTH_FRAMES - 1) // 2)
    padded_FB = np.pad(looks_FB, (around, (0, 0)), mode="edge")
    steady_FB = np.lib.stride_tricks.sliding_window_view(padded_FB, _LENGTH_FRAMES, axis=0).mean(axis=-1)
    longest_F = np.sort(steady_FB, axis=1)[:, -3]  # the third longest, lest one misplaced point decides
    return max(float(np.percentile(longest_F, _FULLY_SEEN)), 1.0)


def _counter(progress: Progress | None, total: int) -> Callable[[], None]:
    """Count pieces of work from 1 on."""
    done = count(1)
    return lambda: None if progress is None else progress(next(done), total)


def _parts(frames: int) -> list[slice]:
    return [slice(first, first + _AT_ONCE) for first in range(0, frames, _AT_ONCE)]


def _fitted_hand(
    points_FKC: np.ndarray, *, left: bool, tick: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Fit one hand: quaternions (F, 16, 4), wrists (F, 2) px, the hand's length in px.

    A left hand is fitted as the right one that it looks like in a mirror.
    """
    weights_FK = np.where(points_FKC[..., 2] >= SEEN, points_FKC[..., 2], 0.0).astype(np.float64)
    size_px = hand_length_px(points_FKC, weights_FK > 0)
    sign = np.array((-1.0 if left else 1.0, -1.0))
    middle_F2 = _weighted_mean(points_FKC[..., :2], weights_FK)
    targets_FK2 = (points_FKC[..., :2] - middle_F2[:, None]) * sign / size_px
    found = []
    for part in _parts(len(points_FKC)):
        found.append(_best_tries(targets_FK2[part], weights_FK[part]))
        tick()
    best = _smoothed(together(found), targets_FK2, weights_FK, tick=tick)
    turns = quaternions.from_matrices(matrices_of(best.wrist_N33, best.angles_NA))
    wrists_F2 = best.place_N2 * sign * size_px + middle_F2
    return turns * (np.concatenate([[1.0], _MIRROR]) if left else 1.0), wrists_F2, size_px


def _weighted_mean(places_FK2: np.ndarray, weights_FK: np.ndarray) -> np.ndarray:
    return (places_FK2 * weights_FK[..., None]).sum(axis=1) / weights_FK.sum(axis=1, keepdims=True)


def _best_tries(targets_FK2: np.ndarray, weights_FK: np.ndarray) -> Attempts:
    """Solve from several starts and keep each frame's best."""
    frames = len(targets_FK2)
    first = starts(targets_FK2)
    per_frame = len(first.cost_N) // frames
    frame_N = np.repeat(np.arange(frames), per_frame)
    coarse = solved(first, _goal(first, targets_FK2[frame_N], weights_FK[frame_N]), steps=_COARSE_STEPS)
    best = coarse.cost_N.reshape(frames, per_frame).argmin(axis=1) + np.arange(frames) * per_frame
    tries = coarse.chosen(best)
    return solved(tries, _goal(tries, targets_FK2, weights_FK), steps=_FINE_STEPS)


def _smoothed(
    tries: Attempts, targets_FK2: np.ndarray, weights_FK: np.ndarray, *, tick: Callable[[], None]
) -> Attempts:
    """Let each frame give way to its neighbours where the picture leaves it free, which depth mostly is."""
    for _ in range(_ROUNDS):
        tries = solved(tries, _goal(tries, targets_FK2, weights_FK, pull=_PULL), steps=2)
        tick()
    return tries


def _goal(tries: Attempts, targets_NK2: np.ndarray, weights_NK: np.ndarray, *, pull: float = 0.0) -> Goal:
    """Set the targets, and the mean of the frames before and after as what turns and bends are drawn to."""
    last = len(targets_NK2) - 1
    before, after = np.maximum(np.arange(last + 1) - 1, 0), np.minimum(np.arange(last + 1) + 1, last)
    turns = quaternions.from_matrices(tries.wrist_N33)
    between = quaternions.slerp(turns[before], turns[after], np.full((last + 1, 1), 0.5))
    angles = (tries.angles_NA[before] + tries.angles_NA[after]) / 2
    return Goal(targets_NK2, weights_NK, quaternions.to_matrices(between), angles, pull=pull)
