"""Conversions between the units of this package: seconds, frames, samples, pixels, latent cells."""

import math
from fractions import Fraction

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
