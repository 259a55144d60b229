"""Tracks from hands found one by one in pictures, as HaMeR and WiLoR do: MANO's turns, a row for each hand.

    frame (N,)  is_right (N,)        when, and which hand
    global_orient, hand_pose         the wrist's turn in the camera's axes, the fingers' turns
    pred_keypoints_2d (N, 21, 2)     where: the wrist, and how long the hand looks
    img_size (2,)  fps               the picture, the rate

The programs themselves write meshes; docs/hand-tracks.md says how to keep these numbers.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ConfigError, MediaError
from ..types import BODY_POINTS, HAND_POINTS
from .conventions import INCLUDED, Conventions
from .kinematics import joint_frames
from .npz_file import MOST_FRAMES, Arrays, read_numbers
from .parameters import DEPTH_FRAC, STANDARD_SIZE_FRAC, HandParameters, joined
from .quaternions import IDENTITY, from_axis_angles, from_matrices, to_matrices
from .skeleton import JOINTS, OPENPOSE, SIDES, rest_offsets
from .track_content import TrackContent

KEY = "hand_pose"
_KEYS = ("global_orient", KEY, "frame", "is_right", "pred_keypoints_2d", "img_size", "fps")
_ANSWERS = ("fps", "hand_mean", "handedness")
_WRISTS = {"left": 7, "right": 4}  # OpenPose
_IN_MIRROR = np.array((1.0, 1.0, -1.0, -1.0))  # of a quaternion, in a mirror that swaps left and right
_TO_VIEWER = np.diag((1.0, -1.0, -1.0))  # from a camera's axes: x right, y down, z away
_LIKENESS = 0.8  # of turned bones and keypoints, 1 where they agree; a hand turned the wrong way has far less
_FINGERS = JOINTS - 1  # joints of them
_MATRIX_TOLERANCE = 0.01
_KEEP = "keep the numbers as docs/hand-tracks.md says"


@dataclass(frozen=True, eq=False)
class _Found:
    """Hold N hands, one row each.

    Shapes:   frame_N, hand_N (N,) int, 0 for left; turns_NJ4 (N, 16, 4); points_NK2 (N, 21, 2)
    Units:    turns as HandParameters has them; px of a picture of width x height
    """

    frame_N: np.ndarray
    hand_N: np.ndarray
    turns_NJ4: np.ndarray
    points_NK2: np.ndarray
    width: int
    height: int


def read_mano(path: Path, told: Conventions) -> TrackContent:
    """Read a track; its keypoints are the file's.

    Raises:   MediaError: damaged, another layout, one hand twice, turns and keypoints of different hands
              ConfigError: what the file leaves open was not told
    Source:   MANO (Romero et al. 2017); HaMeR (CVPR 2024), WiLoR (CVPR 2025): names of the numbers
    Departs:  sizes are those with which our own bones cover the keypoints, one per hand; the wrists' depth is
              unknown, as where hands are fitted to keypoints
    """
    told.require_use(path, uses=_ANSWERS)
    arrays = read_numbers(path, _KEYS)
    fps = told.rate(arrays.number("fps", advice=_KEEP), path)
    found = _found(arrays, told)
    frames = int(found.frame_N.max()) + 1
    made = _parameters(found, path, frames=frames, fps=fps)
    points = _points(found, frames=frames)
    return TrackContent(points, made, fps=fps, width=found.width, height=found.height, source=path.name)


def _found(arrays: Arrays, told: Conventions) -> _Found:
    frame_N = arrays.rows("frame", (), advice=_KEEP).astype(int)
    hand_N = arrays.rows("is_right", (), count=len(frame_N), advice=_KEEP).astype(int)
    _require_one_person(frame_N, hand_N, arrays.path)
    width, height = (int(side) for side in arrays.rows("img_size", (), count=2, advice=_KEEP))
    if min(width, height) < 1:
        raise MediaError(
            f"{arrays.path} has a picture of {width} x {height} px, but sides above 0 were expected; {_KEEP}."
        )
    points_NK2 = arrays.rows("pred_keypoints_2d", (HAND_POINTS, 2), count=len(frame_N), advice=_KEEP)
    return _Found(frame_N, hand_N, _turns(arrays, told, hand_N), points_NK2, width, height)


def _require_one_person(frame_N: np.ndarray, hand_N: np.ndarray, path: Path) -> None:
    usable = len(frame_N) and frame_N.min() >= 0 and frame_N.max() < MOST_FRAMES and set(hand_N) <= {0, 1}
    if not usable:
        raise MediaError(
            f"{path} holds {len(frame_N)} hands, but at least one was expected, each in a frame of 0 to "
            f"{MOST_FRAMES - 1} and with is_right of 0 or 1; {_KEEP}."
        )
    pairs, counts = np.unique(np.column_stack([frame_N, hand_N]), axis=0, return_counts=True)
    if counts.max() > 1:
        frame, hand = pairs[counts.argmax()]
        raise MediaError(
            f"{path} holds {counts.max()} {SIDES[hand]} hands in frame {frame}, but one person's were "
            "expected; keep the rows of one person."
        )


def _turns(arrays: Arrays, told: Conventions, hand_N: np.ndarray) -> np.ndarray:
    """Bring all turns to quaternions (N, 16, 4): wrists in the picture's axes, left hands as left ones."""
    asked = "whether the turns of left hands are a left hand's"
    mirrored = told.mirrored(arrays.path, asked=asked)
    wrist = arrays.rows("global_orient", (3,), (3, 3), count=len(hand_N), advice=_KEEP)
    first = _from_matrices(wrist, arrays.path) if wrist.ndim == 3 else from_axis_angles(wrist)
    fingers = _fingers(arrays, told, np.ones_like(hand_N) if mirrored else hand_N)
    turns_NJ4 = np.concatenate([first[:, None], fingers], axis=1)
    if mirrored:
        turns_NJ4[hand_N == 0] *= _IN_MIRROR
    turns_NJ4[:, 0] = from_matrices(_TO_VIEWER @ to_matrices(turns_NJ4[:, 0]))
    return turns_NJ4


def _fingers(arrays: Arrays, told: Conventions, told_as_N: np.ndarray) -> np.ndarray:
    """Read finger turns (N, 15, 4), from flat; told_as_N: as which hand's they are told, 0 for left."""
    shapes, count = ((_FINGERS * 3,), (_FINGERS, 3), (_FINGERS, 3, 3)), len(told_as_N)
    pose = arrays.rows(KEY, *shapes, count=count, advice=_KEEP)
    if pose.ndim < 4:
        return from_axis_angles(pose.reshape(count, _FINGERS, 3) + told.finger_mean(arrays.path)[told_as_N])
    if told.hand_mean not in (None, INCLUDED):
        raise ConfigError(
            f"{arrays.path} has finger turns as matrices, which include the hands' mean pose, but the mean "
            f"of {told.hand_mean} was told; leave it out."
        )
    return _from_matrices(pose, arrays.path)


def _from_matrices(matrices: np.ndarray, path: Path) -> np.ndarray:
    off = float(np.abs(matrices @ matrices.swapaxes(-1, -2) - np.eye(3)).max())
    if off > _MATRIX_TOLERANCE or np.linalg.det(matrices).min() < 0:
        raise MediaError(
            f"{path} holds matrices that are no turns (off by {off:.3g}, or mirrored), but rotation matrices "
            f"were expected; {_KEEP}."
        )
    return from_matrices(matrices)


def _parameters(found: _Found, path: Path, *, frames: int, fps: float) -> HandParameters:
    valid_FH = np.zeros((frames, len(SIDES)), dtype=bool)
    turns_FHJ4 = np.tile(IDENTITY, (frames, len(SIDES), JOINTS, 1))
    places_FH3, sizes_H = np.zeros((frames, len(SIDES), 3)), np.full(len(SIDES), STANDARD_SIZE_FRAC)
    at = (found.frame_N, found.hand_N)
    valid_FH[at], turns_FHJ4[at] = True, found.turns_NJ4
    places_FH3[at] = np.insert(found.points_NK2[:, 0] / (found.width, found.height), 2, DEPTH_FRAC, axis=1)
    for hand in sorted(set(found.hand_N.tolist())):
        own_N = found.hand_N == hand
        sizes_H[hand] = (
            _length_px(found.turns_NJ4[own_N], found.points_NK2[own_N], hand=hand, path=path) / found.height
        )
    return HandParameters(
        joined(turns_FHJ4, places_FH3), valid_FH, fps=fps, source=path.name, sizes_frac_FH=sizes_H[None]
    )


def _length_px(turns_NJ4: np.ndarray, points_NK2: np.ndarray, *, hand: int, path: Path) -> float:
    """Find the length with which the turned bones cover the keypoints best, and whether they do at all."""
    _, placed = joint_frames(to_matrices(turns_NJ4), rest_offsets(SIDES[hand]))
    bones_NK2 = placed[:, OPENPOSE, :2] * (1.0, -1.0)
    seen_NK2 = points_NK2 - points_NK2[:, :1]
    both, own, theirs = (
        (one * two).sum(axis=(1, 2))
        for one, two in ((bones_NK2, seen_NK2), (bones_NK2, bones_NK2), (seen_NK2, seen_NK2))
    )
    likeness = float(np.median(both / np.maximum(np.sqrt(own * theirs), 1e-9)))
    if likeness < _LIKENESS:
        raise MediaError(
            f"The turns of the {SIDES[hand]} hands of {path} do not lead to their keypoints (likeness "
            f"{likeness:.2f}, at least {_LIKENESS} was expected); tell the other handedness, or {_KEEP}."
        )
    return float(np.median(both / own))


def _points(found: _Found, *, frames: int) -> dict[str, np.ndarray]:
    hands = np.zeros((frames, len(SIDES), HAND_POINTS, 3), dtype=np.float32)
    hands[found.frame_N, found.hand_N, :, :2] = found.points_NK2
    hands[found.frame_N, found.hand_N, :, 2] = 1.0
    body_FKC = np.zeros((frames, BODY_POINTS, 3), dtype=np.float32)
    for hand, side in enumerate(SIDES):
        body_FKC[:, _WRISTS[side]] = hands[:, hand, 0]
    return {"left": hands[:, 0], "right": hands[:, 1], "body": body_FKC}
