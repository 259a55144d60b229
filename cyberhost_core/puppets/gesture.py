"""Move the hands with the voice: a pose at every beat, smooth ways in between.

    onsets -> beats (spacing = gesture speed) -> a rolled pose per beat, rest in long pauses -> Hann smoothing
           -> wrist and finger angles -> HandMotion, kept inside the picture and off the face

A pose is 11 numbers: where the hand's middle is (away from the midline, down), how it is turned (three
angles), and the six of a hand shape.
"""

import numpy as np

from ..hands.kinematics import hand_keypoints
from ..hands.parameters import STANDARD_SIZE_FRAC
from ..hands.rotations import rotation_matrices
from ..hands.skeleton import SIDES, Side
from .hand import HandMotion
from .hand_shapes import HAND_SHAPES, hand_rotations
from .performance import Performance, band_limited
from .prosody import Prosody

HAND_LENGTH_FRAC = STANDARD_SIZE_FRAC  # wrist to middle tip, of the picture's height, for a hand_size of 1
REST = (24.0, 98.0, 14.0, 0.0, 8.0)  # place and turn of a hand at rest, palm to the viewer
BACK_TURN_DEG = 157.0  # this much more turn shows the back of the hand
QUIET_ENERGY, QUIET_SECS = 0.06, 0.6  # a pause that long brings the hands to rest
LEAD_SECS = 0.12  # a stroke starts before the sound that it goes with
HAND_DEPTH = 25.0  # how far in front of the shoulders hands are held

# Open shapes come more often, because they are what people show most and what teaches fingers best.
_SHAPE_WEIGHTS = np.array((4, 2, 3, 3, 2, 1, 1.5, 1.5, 1, 1.5, 1, 1))
_LOWEST, _HIGHEST = np.array((15.0, 80.0, -22.0, -28.0, -34.0)), np.array((36.0, 108.0, 45.0, 28.0, 42.0))
_WOBBLE = (1.2, 1.2, 4.0, 4.0, 6.0)  # idle motion of place and turn: living hands are never still
_STROKE = 4.0  # a beat pushes the hand down this far

_HAND_MIDDLE = np.array((-0.5, 0.0, 0.02))  # of a right hand, in hand lengths
# Bounds of all keypoints: beside the midline, under the chin, inside the picture.
_EDGE, _MIDLINE_GAP, _TOP, _BOTTOM = 3.0, 1.0, 66.0, 124.5


def gesture(
    performance: Performance, *, beats: Prosody, offset_F2: np.ndarray, hand_size: float, fps: float
) -> HandMotion:
    """Roll both hands' motion for a voice.

    Shapes:   offset_F2 (F, 2) the body's sway, which the hands ride on
    Units:    offset: pixels of a 128 high picture
    """
    rng = np.random.default_rng([performance.seed, 0x6E5])
    times = _beat_frames(beats, spacing=(0.9 - 0.5 * performance.gesture_speed) * fps)
    poses_2NP = _poses(rng, count=len(times) + 1, size=performance.gesture_size)
    tracks = []
    for poses in poses_2NP:
        track = _track(poses, times, beats=beats, speed=performance.gesture_speed, fps=fps)
        track[:, :5] += _wobble(rng, frames=len(track), fps=fps)
        track[:, 1] += _STROKE * performance.gesture_size * beats.onset_F
        tracks.append(track)
    return _hand_motion(np.stack(tracks), offset_F2, hand_size=hand_size)


def neutral_gesture(*, hand_size: float) -> HandMotion:
    """Hold both hands open beside the middle, palms to the viewer: one frame, for portraits."""
    track = np.array([[*REST, *HAND_SHAPES["open"]]])
    return _hand_motion(np.stack([track, track]), np.zeros((1, 2)), hand_size=hand_size)


def _beat_frames(beats: Prosody, *, spacing: float) -> np.ndarray:
    """Choose frames of strong onsets, strongest first, at least `spacing` apart."""
    chosen: list[int] = []
    for frame in np.argsort(-beats.onset_F, kind="stable"):
        if beats.onset_F[frame] < 0.12:
            break
        if all(abs(frame - other) >= spacing for other in chosen):
            chosen.append(int(frame))
    return np.array(sorted(chosen), dtype=int)


def _poses(rng: np.random.Generator, *, count: int, size: float) -> np.ndarray:
    """Roll poses (2, count, 11) for left and right; the first is rest, `size` shrinks the others towards it.

    Half of the beats move both hands alike, as speakers do; which side of a hand shows is the clip's habit.
    """
    shapes = np.array(list(HAND_SHAPES.values()))
    place = rng.uniform(_LOWEST, _HIGHEST, size=(2, count, 5))
    shape = shapes[rng.choice(len(shapes), size=(2, count), p=_SHAPE_WEIGHTS / _SHAPE_WEIGHTS.sum())]
    alike = rng.random(count) < 0.5
    place[1, alike] = place[0, alike] + rng.normal(0, (2, 2, 4, 4, 6), size=(int(alike.sum()), 5))
    shape[1, alike] = shape[0, alike]
    place[:, 0] = REST
    place = np.array(REST) + size * (place - REST)
    shows_back = (rng.random((2, 1)) < 0.4) ^ (rng.random((2, count)) < 0.1)
    shows_back[:, 0] = shows_back[:, min(1, count - 1)]
    place[..., 4] += BACK_TURN_DEG * shows_back
    shape = np.clip(shape + rng.normal(0, 0.04, size=shape.shape), -0.3, 1.05)
    shape[:, 0] = HAND_SHAPES["relaxed"]
    return np.concatenate([place, shape], axis=-1)


def _track(poses: np.ndarray, times: np.ndarray, *, beats: Prosody, speed: float, fps: float) -> np.ndarray:
    """Hold each pose from its beat on, and smooth the steps, less so for fast gesturers."""
    frames = len(beats.energy_F)
    lead = round(LEAD_SECS * fps)
    held = poses[np.searchsorted(times - lead, np.arange(frames), side="right")]
    held[_quiet(beats.energy_F, fps=fps)] = poses[0]
    length = max(3, round((0.62 - 0.4 * speed) * fps))
    window = np.hanning(length + 2)[1:-1]
    padded = np.pad(held, ((length // 2, length - 1 - length // 2), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, window / window.sum(), mode="valid") for column in padded.T], axis=1)


def _quiet(energy_F: np.ndarray, *, fps: float) -> np.ndarray:
    """Tell frames in the middle of a long pause: nothing loud around them."""
    reach = round(QUIET_SECS * fps / 2)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(energy_F, reach, mode="edge"), 2 * reach + 1)
    return around.max(axis=1) < QUIET_ENERGY


def _wobble(rng: np.random.Generator, *, frames: int, fps: float) -> np.ndarray:
    sines = [band_limited(rng, frames=frames, fps=fps, band_hz=(0.3, 0.9)) for _ in _WOBBLE]
    return np.stack(sines, axis=1) * _WOBBLE


def _hand_motion(tracks_2FP: np.ndarray, offset_F2: np.ndarray, *, hand_size: float) -> HandMotion:
    """Write tracks of poses, left and right, as MANO parameters."""
    rotations, translations = [], []
    for side, track in zip(SIDES, tracks_2FP, strict=True):
        rotations.append(hand_rotations(track[:, 2:5], track[:, 5:], side=side))
        wrist = _wrists(track, rotations[-1], offset_F2, side=side, hand_size=hand_size)
        depth = np.full((len(track), 1), HAND_DEPTH)
        translations.append(np.concatenate([wrist, depth], axis=1) / (96.0, 128.0, 128.0))
    return HandMotion(
        np.stack(rotations, axis=1).astype(np.float32), np.stack(translations, axis=1).astype(np.float32)
    )


def _wrists(
    track: np.ndarray, rotations: np.ndarray, offset_F2: np.ndarray, *, side: Side, hand_size: float
) -> np.ndarray:
    """Find the wrists (F, 2) that put a hand's middle where the track wants it, keypoints in bounds."""
    outward = 1.0 if side == "left" else -1.0
    length = HAND_LENGTH_FRAC * 128.0 * hand_size * np.array((1.0, -1.0))
    middle = np.stack([48.0 + outward * track[:, 0], track[:, 1]], axis=1) + offset_F2
    to_middle = rotation_matrices(rotations[:, 0]) @ (_HAND_MIDDLE * (-outward, 1.0, 1.0))
    wrist = middle - to_middle[:, :2] * length
    reach = hand_keypoints(rotations, side=side)[..., :2] * length
    low, high = reach.min(axis=1), reach.max(axis=1)
    inner = 48.0 + offset_F2[:, 0] + outward * _MIDLINE_GAP
    own_side = (np.maximum, low) if side == "left" else (np.minimum, high)
    x = own_side[0](wrist[:, 0], inner - own_side[1][:, 0])
    # The picture's edge comes last: to be seen matters more than to stay on one's own side.
    x = np.clip(x, _EDGE - low[:, 0], 96.0 - _EDGE - high[:, 0])
    y = np.clip(wrist[:, 1], _TOP - low[:, 1], _BOTTOM - high[:, 1])
    return np.stack([x, y], axis=1)
