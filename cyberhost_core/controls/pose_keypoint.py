"""ComfyUI's POSE_KEYPOINT, one dict per picture, to a Pose and back.

    frame {"people": [person, ...], "canvas_height", "canvas_width"}
    person {"pose_keypoints_2d": 18 points, "face_keypoints_2d": 68 or 70, "hand_left_keypoints_2d": 21, ...}
           every part flat [x, y, c, ...], or None

What producers disagree about is settled here: pixels or shares of the picture, scores or 1 and 0, absent
parts, which hand is called left.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import PoseError
from ..types import BODY_POINTS, FACE_POINTS, HAND_POINTS, SEEN, Pose

BODY, FACE = "pose_keypoints_2d", "face_keypoints_2d"
LEFT_HAND, RIGHT_HAND = "hand_left_keypoints_2d", "hand_right_keypoints_2d"
SCORES = "cyberhost_scores"  # our own key beside c, which other nodes expect to be 1 or 0
RIGHT_WRIST, LEFT_WRIST = 4, 7
EYES = [14, 15]  # OpenPose's face ends with the body's eyes
_SCORES_OF = {BODY: "body", FACE: "face", LEFT_HAND: "left", RIGHT_HAND: "right"}
_PAD_TO_PX = 64


def pose_from_keypoints(frames: Sequence[Mapping[str, Any]], *, person: int | None = None) -> Pose:
    """Read one person out of a POSE_KEYPOINT; a frame without this person is all zeros.

    Shapes:   result F = number of frames, on their common canvas
    Units:    px; person counts from 0 in each frame's own order, None takes the largest of each frame
    Raises:   PoseError: nobody in any frame, no such person, an animal, canvases of different size, or
              something that is no POSE_KEYPOINT
    Reads:    hands belong to the nearer wrist of the body, whatever they are called: core SDPose and DWPose
              name them the other way round. A part whose places all lie within 0..1 holds shares of the
              picture padded to multiples of 64 px, as OpenPose of controlnet_aux gives them; there a negative
              place marks a missing point. Its face leaves missed points out: with fewer than 68, the order is
              lost and the face counts as unseen. Where `c` and a stored score disagree on whether a point is
              seen, an editor changed the point, and `c` holds
    """
    height, width = _canvas(frames)
    people_of_frame = [
        [_packed(found, height=height, width=width) for found in frame["people"] or []] for frame in frames
    ]
    most = max(len(people) for people in people_of_frame)
    if person is not None and most and not 0 <= person < most:
        raise PoseError(
            f"Person {person} was asked for, but no frame holds more than {most}, and they are counted from "
            f"0; choose at most {most - 1}, or the largest person (-1)."
        )
    packed_FKC = np.stack([_chosen(people, person) for people in people_of_frame])
    if not (packed_FKC[..., 2] >= SEEN).any():
        raise PoseError(
            f"No person was found in any of {len(frames)} frames, one with head, shoulders and arms in view "
            "was expected; use another picture, or another pose detector."
        )
    return Pose.from_packed(packed_FKC, height=height, width=width)


def keypoints_from_pose(pose: Pose) -> list[dict[str, Any]]:
    """Write a Pose so that every known node can read it.

    Units:    px of the canvas; c is 1 for points that are seen, else x, y and c are 0; the detector's own
              scores go into the person's "cyberhost_scores", which other nodes pass by
    """
    canvas = {"canvas_height": int(pose.height), "canvas_width": int(pose.width)}
    return [{"people": _people(pose[frame : frame + 1]), **canvas} for frame in range(len(pose))]


def _canvas(frames: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Check the frames' form; give the height and width that they share."""
    if not len(frames):
        raise PoseError("The pose holds no frame, at least 1 was expected; connect a pose detector.")
    sizes = {}
    for at, frame in enumerate(frames):
        if "animals" in frame or frame.get("version") == "ap10k":
            raise PoseError(
                f"Frame {at + 1} of the pose holds an animal's keypoints (ap10k), a person's were expected; "
                "use a pose detector for people, such as DWPose."
            )
        missing = [key for key in ("people", "canvas_height", "canvas_width") if key not in frame]
        if missing:
            raise PoseError(
                f"Frame {at + 1} of the pose has no '{missing[0]}', which every POSE_KEYPOINT holds; "
                "connect a pose detector's own output."
            )
        sizes.setdefault((int(frame["canvas_height"]), int(frame["canvas_width"])), at)
    if len(sizes) > 1:
        (first, second), other = list(sizes)[:2], list(sizes.values())[1]
        raise PoseError(
            f"The pose's canvas is {first[1]} x {first[0]} px in frame 1 but {second[1]} x {second[0]} px in "
            f"frame {other + 1}, one size was expected; detect all frames at one size."
        )
    (size,) = sizes
    if min(size) < 1:
        raise PoseError(
            f"The pose's canvas is {size[1]} x {size[0]} px, at least 1 x 1 was expected; "
            "detect the pose again."
        )
    return size


def _packed(person: Mapping[str, Any], *, height: int, width: int) -> np.ndarray:
    """Read a person's parts as (128, 3) px and scores, with the hands where they belong."""
    body = _part(person, BODY, points=BODY_POINTS, height=height, width=width)
    face = _part(person, FACE, points=FACE_POINTS, height=height, width=width)
    hands = [
        _part(person, key, points=HAND_POINTS, height=height, width=width) for key in (LEFT_HAND, RIGHT_HAND)
    ]
    return np.concatenate([body, face, *_by_wrist(body, *hands)]).astype(np.float32)


def _part(person: Mapping[str, Any], key: str, *, points: int, height: int, width: int) -> np.ndarray:
    flat = person.get(key) or []
    try:
        numbers = np.asarray(flat, dtype=np.float64).reshape(-1, 3)
    except (TypeError, ValueError) as error:
        raise PoseError(
            f"The pose's '{key}' is no flat list of x, y, c ({error}); connect a pose detector's own output."
        ) from error
    if not len(numbers) or (key == FACE and len(numbers) < points):
        return np.zeros((points, 3))
    if len(numbers) != points and not (key == FACE and len(numbers) > points):
        raise PoseError(
            f"The pose's '{key}' holds {len(numbers)} points, {points} were expected; "
            "use a detector that gives OpenPose's 18 body points and 21 points per hand, such as DWPose."
        )
    numbers = numbers[:points]
    numbers[~np.isfinite(numbers).all(axis=1)] = 0
    numbers[:, 2] = _scores(person, key, c_K=np.clip(numbers[:, 2], 0, 1))
    seen = numbers[:, 2] >= SEEN
    if seen.any() and np.abs(numbers[seen, :2]).max() <= 1:
        numbers[(numbers[:, :2] < 0).any(axis=1)] = 0
        numbers[:, :2] *= [_padded(width), _padded(height)]
    return numbers


def _scores(person: Mapping[str, Any], key: str, *, c_K: np.ndarray) -> np.ndarray:
    stored = (person.get(SCORES) or {}).get(_SCORES_OF[key])
    if stored is None or len(stored) < len(c_K):
        return c_K
    score_K = np.clip(np.asarray(stored, dtype=np.float64)[: len(c_K)], 0, 1)
    return np.where((score_K >= SEEN) == (c_K >= SEEN), score_K, c_K)


def _padded(size_px: int) -> int:
    return -(-size_px // _PAD_TO_PX) * _PAD_TO_PX


def _by_wrist(body: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the left hand and the right hand; `first` is the one that is called left."""
    left, right = body[LEFT_WRIST], body[RIGHT_WRIST]
    as_named = _distance(first, left) + _distance(second, right)
    exchanged = _distance(first, right) + _distance(second, left)
    return (second, first) if exchanged < as_named else (first, second)


def _distance(hand: np.ndarray, wrist: np.ndarray) -> float:
    """How far a hand's root is from a wrist; the hand's own size where the wrist is not seen."""
    seen = hand[hand[:, 2] >= SEEN, :2]
    if not len(seen):
        return 0.0
    if wrist[2] < SEEN:
        return float(np.linalg.norm(np.ptp(seen, axis=0)))
    root = hand[0, :2] if hand[0, 2] >= SEEN else seen.mean(axis=0)
    return float(np.linalg.norm(root - wrist[:2]))


def _chosen(people: list[np.ndarray], person: int | None) -> np.ndarray:
    if person is None:
        return max(people, key=_area, default=_NOBODY)
    return people[person] if person < len(people) else _NOBODY


def _area(packed_KC: np.ndarray) -> float:
    """The area of the box around the seen points; below 0 when there are none."""
    seen = packed_KC[packed_KC[:, 2] >= SEEN, :2]
    return float(np.ptp(seen, axis=0).prod()) if len(seen) else -1.0


def _people(pose: Pose) -> list[dict[str, Any]]:
    """One person of the one frame, or none when no point is seen."""
    body, left, right = pose.body_FKC[0], pose.left_hand_FKC[0], pose.right_hand_FKC[0]
    face = np.concatenate([pose.face_FKC[0], body[EYES]])
    parts = {BODY: body, FACE: face, LEFT_HAND: left, RIGHT_HAND: right}
    if not any((part[:, 2] >= SEEN).any() for part in parts.values()):
        return []
    scores = {_SCORES_OF[key]: part[:, 2].tolist() for key, part in parts.items()}
    return [{**{key: _flat(part) for key, part in parts.items()}, SCORES: scores}]


def _flat(part_KC: np.ndarray) -> list[float]:
    seen = part_KC[:, 2:] >= SEEN
    return (
        np.concatenate([np.where(seen, part_KC[:, :2], 0.0), seen.astype(np.float64)], axis=1)
        .ravel()
        .tolist()
    )


_NOBODY = np.zeros((BODY_POINTS + FACE_POINTS + 2 * HAND_POINTS, 3), dtype=np.float32)
