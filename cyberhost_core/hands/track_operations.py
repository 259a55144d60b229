"""What a user does to a hand track before it drives a video: pure functions, keypoints and parameters alike.

amplitude   more or less movement about the mean place      speed   faster or slower
mirror      left <-> right                                  trim    a part of it
concatenate one after another, cross-faded                  loop    over and over, to a length
blend       two tracks at once                              (hold: hands.track.with_length)
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import PoseError
from ..types import SEEN, Pose
from .mixing import absent, mixed
from .parameters import LIMB_POINTS, HandParameters, joined
from .skeleton import SIDES
from .track import HandTrack, at_fps, mixed_pose

_PARTS = ("left_hand_FKC", "right_hand_FKC")
_WRISTS = (7, 4)  # of the body: left, right
# fmt: off
_BODY_MIRROR = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]
_LIMB_MIRROR = [LIMB_POINTS.index(_BODY_MIRROR[point]) for point in LIMB_POINTS]
_FACE_MIRROR = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
]
# fmt: on


def with_amplitude(track: HandTrack, *, left: float = 1.0, right: float = 1.0) -> HandTrack:
    """Move each hand further from, or nearer to, its mean place; its shape and turns stay.

    Limbs that the track's driver made for the hands no longer reach them, and are forgotten.

    Units:    1 changes nothing, 0 holds a hand at its mean place, 2 doubles every way
    Source:   EMO2 section 3.3: "the variance of the hand translation to represent movement amplitude"
    """
    pose, amplitudes = track.pose, (left, right)
    parts = {name: getattr(pose, name).copy() for name in (*_PARTS, "body_FKC")}
    for name, wrist, amplitude in zip(_PARTS, _WRISTS, amplitudes, strict=True):
        points_FKC = parts[name]
        seen_F = points_FKC[:, 0, 2] >= SEEN
        if seen_F.any():
            places_F2 = points_FKC[:, 0, :2]
            shift_F2 = (amplitude - 1) * (places_F2 - places_F2[seen_F].mean(axis=0))
            points_FKC[seen_F, :, :2] += shift_F2[seen_F, None]
            parts["body_FKC"][seen_F, wrist, :2] += shift_F2[seen_F]
    made = track.parameters
    return replace(
        track,
        pose=replace(pose, **parts),
        parameters=None if made is None else _with_amplitudes(made, np.array(amplitudes)),
    )


def at_speed(track: HandTrack, speed: float) -> HandTrack:
    """Play a track faster or slower at its own frame rate.

    Units:    2 halves the number of frames
    Raises:   PoseError: the speed is not positive
    """
    if not (np.isfinite(speed) and speed > 0):
        raise PoseError(f"A speed of {speed} was asked for, but more than 0 was expected; 1 changes nothing.")
    slowed = at_fps(track, track.fps / speed)
    made = slowed.parameters
    return replace(slowed, fps=track.fps, parameters=None if made is None else replace(made, fps=track.fps))


def mirrored(track: HandTrack) -> HandTrack:
    """Show a track in a mirror: left and right, hands and body, change places."""
    pose = track.pose
    flipped = {
        name: _flipped(getattr(pose, other), pose.width)
        for name, other in zip(_PARTS, reversed(_PARTS), strict=True)
    }
    flipped["body_FKC"] = _flipped(pose.body_FKC[:, _BODY_MIRROR], pose.width)
    flipped["face_FKC"] = _flipped(pose.face_FKC[:, _FACE_MIRROR], pose.width)
    made = track.parameters
    return replace(
        track, pose=replace(pose, **flipped), parameters=None if made is None else _mirrored_parameters(made)
    )


def trimmed(track: HandTrack, *, first: int, frames: int) -> HandTrack:
    """Keep some frames.

    Raises:   PoseError: the track has no such frames, or none of them shows a hand
    """
    if first < 0 or frames < 1 or first + frames > len(track):
        raise PoseError(
            f"Frames {first} to {first + frames - 1} of the hand track from {track.source} were asked for, "
            f"but it has frames 0 to {len(track) - 1}; choose among them, or loop or hold the track first."
        )
    return track[first : first + frames]


def concatenated(tracks: Sequence[HandTrack], *, fade_frames: int = 0) -> HandTrack:
    """Play tracks one after another, on the first one's canvas and at its rate.

    Each fade takes its frames from the end of one track and the beginning of the next, so that the whole is
    shorter by as many; turns go the shorter way.

    Raises:   PoseError: no track, or one that is shorter than its fades
    """
    if not tracks:
        raise PoseError("No hand track was given to concatenate, but at least one was expected; connect one.")
    whole = tracks[0]
    for following in tracks[1:]:
        whole = _joined(whole, _like(following, whole), fade_frames)
    return whole


def looped(track: HandTrack, frames: int, *, fade_frames: int = 0) -> HandTrack:
    """Repeat a track until it has a number of frames, cross-faded where it starts again.

    Raises:   PoseError: the track is not longer than two fades, or no frame was asked for
    """
    step = len(track) - fade_frames
    repeats = 1 + max(0, -(-(frames - len(track)) // max(step, 1)))
    return trimmed(concatenated([track] * repeats, fade_frames=fade_frames), first=0, frames=frames)


def blended(first: HandTrack, second: HandTrack, *, weight: float) -> HandTrack:
    """Go a share of the way from one track to another, in every frame, on the first one's canvas.

    Units:    weight 0 gives first, 1 gives second
    Raises:   PoseError: another rate or length, or a weight outside 0..1
    """
    if not 0 <= weight <= 1:
        raise PoseError(f"A weight of {weight} was asked for, but 0 to 1 was expected; 0.5 is the middle.")
    if len(first) != len(second) or first.fps != second.fps:
        raise PoseError(
            f"Hand tracks of {len(first)} frames at {first.fps:g} and of {len(second)} at {second.fps:g} per "
            "second were to be blended, but one length and rate was expected; change the rate, then trim, "
            "loop or hold one of them."
        )
    return _mixed(first, _like(second, first), np.full(len(first), weight))


def _with_amplitudes(made: HandParameters, amplitudes_H: np.ndarray) -> HandParameters:
    places_FH3 = made.translations().astype(np.float64)
    counts_H1 = np.maximum(made.valid_FH.sum(axis=0), 1)[:, None]
    mean_H3 = (places_FH3 * made.valid_FH[..., None]).sum(axis=0) / counts_H1
    moved = mean_H3 + amplitudes_H[:, None] * (places_FH3 - mean_H3)
    return replace(made, vectors_FD=joined(made.quaternions(), moved), limbs_FKC=None)


def _mirrored_parameters(made: HandParameters) -> HandParameters:
    """Mirror at the picture's middle: a turn's axis keeps its x and loses the sign of its y and z."""
    turns = made.quaternions()[:, ::-1] * np.array((1, 1, -1, -1), dtype=np.float32)
    places = made.translations()[:, ::-1] * np.array((-1, 1, 1), dtype=np.float32)
    places = places + np.array((1, 0, 0), dtype=np.float32)
    offset = made.offset_FD.reshape(len(made.offset_FD), len(SIDES), -1)[:, ::-1]
    known, x, y, turn = np.moveaxis(offset, -1, 0)
    offset = np.stack([known, known - x, y, -turn], axis=-1)
    limbs = None if made.limbs_FKC is None else _flipped(made.limbs_FKC[:, _LIMB_MIRROR], 1)
    return replace(
        made,
        vectors_FD=joined(turns, places),
        valid_FH=made.valid_FH[:, ::-1],
        sizes_frac_FH=made.sizes_frac_FH[:, ::-1],
        offset_FD=offset.reshape(len(made.offset_FD), -1),
        limbs_FKC=limbs,
    )


def _flipped(points_FKC: np.ndarray, width: int) -> np.ndarray:
    """Mirror points; those that are not there stay where they are."""
    flipped = points_FKC * np.array((-1, 1, 1), dtype=np.float32) + np.array((width, 0, 0), dtype=np.float32)
    return np.where(points_FKC[..., 2:] > 0, flipped, points_FKC).astype(np.float32)


def _like(track: HandTrack, first: HandTrack) -> HandTrack:
    """Bring a track onto another's canvas and to its rate."""
    pose = track.pose.scaled(height=first.pose.height, width=first.pose.width)
    return (
        at_fps(replace(track, pose=pose), first.fps) if track.fps != first.fps else replace(track, pose=pose)
    )


def _joined(first: HandTrack, second: HandTrack, fade_frames: int) -> HandTrack:
    if not 0 <= fade_frames < min(len(first), len(second)):
        raise PoseError(
            f"A fade of {fade_frames} frames was asked for between hand tracks of {len(first)} and "
            f"{len(second)} frames, but 0 or more and fewer than either was expected; shorten the fade."
        )
    head = len(first) - fade_frames
    share_F = np.concatenate(
        [
            np.zeros(head),
            np.arange(1, fade_frames + 1) / (fade_frames + 1),
            np.ones(len(second) - fade_frames),
        ]
    )
    at_F = np.arange(len(share_F))
    before, after = np.minimum(at_F, len(first) - 1), np.maximum(at_F - head, 0)
    return _mixed(first, second, share_F, before=before, after=after)


def _mixed(
    first: HandTrack,
    second: HandTrack,
    share_F: np.ndarray,
    *,
    before: np.ndarray | slice = slice(None),
    after: np.ndarray | slice = slice(None),
) -> HandTrack:
    """Mix frames `before` of one track with frames `after` of another.

    If one of them has no parameters, the result's are valid where it follows the other.
    """
    pose: Pose = mixed_pose(first.pose[before], second.pose[after], share_F)
    made = None
    if first.parameters is not None or second.parameters is not None:
        one, two = (track.parameters or _none(track) for track in (first, second))
        made = mixed(one[before], two[after], share_F)
    source = first.source if first.source == second.source else f"{first.source}, {second.source}"
    return HandTrack(pose, fps=first.fps, source=source, parameters=made and replace(made, source=source))


def _none(track: HandTrack) -> HandParameters:
    return absent(len(track), fps=track.fps, source=track.source)
