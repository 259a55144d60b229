"""Sounds of any length for the host tests."""

import wave
from pathlib import Path

import numpy as np

RATE_HZ = 16_000


def noise(path: Path, *, seconds: float) -> Path:
    """Write mono noise: as far as length and loudness count, a voice."""
    wave_T = np.random.default_rng(0).normal(0, 3_000, round(seconds * RATE_HZ)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(wave_T.tobytes())
    return path
