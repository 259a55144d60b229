"""Roll how a puppet moves in one clip, and turn that into the tracks of body and head.

The controls that the bench asks about (movement box, hand clarity) are rolled evenly and independently of
the identity, so that a model can only learn them from the control itself.
"""

from dataclasses import dataclass

import numpy as np

from .mouth import MouthShape
from .prosody import Prosody

MAX_SWAY_X, MAX_SWAY_Y = 7.0, 3.5  # half sizes of the largest movement box, in pixels of a 128 high picture
SWAY_HZ = (0.5, 1.2)
MAX_DEFOCUS = 1.6
MAX_EXPOSURE_FRAMES = 1.6


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Hold the settings of one clip.

    Units:    sway_*, defocus: pixels of a 128 high picture; exposure_frames: shutter time in frames;
              gesture_speed, gesture_size: 0..1
    """

    seed: int
    sway_x: float
    sway_y: float
    gesture_speed: float
    gesture_size: float
    exposure_frames: float
    defocus: float


@dataclass(frozen=True)
class BodyMotion:
    """Hold where body and head are, frame by frame.

    Shapes:   offset_F2 (F, 2); nod_F, tilt_F, yaw_F, blink_F, brow_F (F,)
    Units:    offset, brow: pixels of a 128 high picture; tilt: radians; nod, yaw: -1..1; blink: 0 open to 1
              shut
    """

    offset_F2: np.ndarray
    nod_F: np.ndarray
    tilt_F: np.ndarray
    yaw_F: np.ndarray
    blink_F: np.ndarray
    brow_F: np.ndarray


def random_performance(seed: int) -> Performance:
    """Roll the settings of a clip, each evenly over its range."""
    rng = np.random.default_rng([seed, 0x9E])
    return Performance(
        seed=seed,
        sway_x=rng.uniform(0.0, MAX_SWAY_X),
        sway_y=rng.uniform(0.0, MAX_SWAY_Y),
        gesture_speed=rng.uniform(0.0, 1.0),
        gesture_size=rng.uniform(0.35, 1.0),
        exposure_frames=rng.uniform(0.0, MAX_EXPOSURE_FRAMES),
        defocus=rng.uniform(0.0, MAX_DEFOCUS),
    )


def body_motion(performance: Performance, *, beats: Prosody, mouth: MouthShape, fps: float) -> BodyMotion:
    """Sway inside the movement box, nod and tilt with the voice, blink now and then."""
    rng = np.random.default_rng([performance.seed, 0xB0D])
    frames = len(beats.energy_F)
    slow = [band_limited(rng, frames=frames, fps=fps, band_hz=(0.2, 0.9)) for _ in range(3)]
    sway = [band_limited(rng, frames=frames, fps=fps, band_hz=SWAY_HZ) for _ in range(2)]
    lively = 0.4 + 0.6 * beats.energy_F / max(float(beats.energy_F.max(initial=0)), 1e-3)
    return BodyMotion(
        offset_F2=np.stack([performance.sway_x * sway[0], performance.sway_y * sway[1]], axis=1),
        nod_F=0.5 * slow[0] * lively + 0.7 * beats.onset_F,
        tilt_F=np.deg2rad(5.0) * slow[1] * lively,
        yaw_F=slow[2] * lively,
        blink_F=_blinks(rng, frames=frames, fps=fps),
        brow_F=1.2 * beats.onset_F + 0.4 * mouth.opening_F,
    )


def band_limited(
    rng: np.random.Generator, *, frames: int, fps: float, band_hz: tuple[float, float]
) -> np.ndarray:
    """Roll a smooth track (frames,) of sines inside a band that spans -1..1 without ever leaving it.

    One strong sine makes sure that any two seconds show most of the range; two weak ones keep it from
    looking like a pendulum; the soft limit is the box's wall.
    """
    low, high = band_hz
    middle = 0.5 * (low + high)
    hz = np.array([rng.uniform(middle, high), rng.uniform(low, high), rng.uniform(low, middle)])
    phase = rng.uniform(0, 2 * np.pi, size=3)
    weight = np.array([1.0, 0.3, 0.25])
    secs = np.arange(frames)[:, None] / fps
    track = (weight * np.sin(2 * np.pi * hz * secs + phase)).sum(axis=1)
    return np.tanh(1.5 * track) / np.tanh(1.5 * weight.sum())


def _blinks(rng: np.random.Generator, *, frames: int, fps: float) -> np.ndarray:
    """Shut the eyes for about 0.16 s every two to four seconds."""
    shut, centre = np.zeros(frames), rng.uniform(0.2, 2.0) * fps
    while centre < frames:
        distance = np.abs(np.arange(frames) - centre) / (0.11 * fps)
        shut = np.maximum(shut, np.clip(1.35 - distance, 0.0, 1.0))
        centre += rng.uniform(1.6, 3.6) * fps
    return shut
