"""Conversions between the units of this package: seconds, frames, samples, pixels, latent cells, decibels."""

import math
from fractions import Fraction

import numpy as np

SPEECH_RATE_HZ = 16_000  # wav2vec2's input rate
LATENT_STRIDE_PX = 8  # one latent cell covers 8 x 8 pixels in every VAE that this package uses


def frame_count(samples: int, *, rate_hz: int, fps: float) -> int:
    """Count the video frames that cover a sound: ceil(duration x fps), in exact arithmetic.

    Floating point would turn 2.0 s x 25 into 51 frames now and then, so the product is a Fraction.
    """
    frames = Fraction(samples, rate_hz) * Fraction(fps).limit_denominator(1001)
    return math.ceil(frames)


def frame_to_secs(frame: int, *, fps: float) -> float:
    """Start time of a frame in seconds."""
    return frame / fps


def decibels(squared_error: float, *, peak: float) -> float:
    """Tell a mean squared error as the peak signal to noise ratio, at most 100 dB."""
    return -10 * math.log10(max(squared_error / peak**2, 1e-10))


def between_frames(
    count: int, *, fps: float, new_fps: float, frames: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look the middle of each frame at a new rate up between two frames at the old one.

    Shapes:   each (frames,): the frame before, the one after, and the share of the way between them
    """
    place = ((np.arange(frames) + 0.5) * fps / new_fps - 0.5).clip(0, count - 1)
    before = np.floor(place).astype(int)
    return before, np.minimum(before + 1, count - 1), place - before
