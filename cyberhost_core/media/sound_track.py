"""Encode a sound into a video file, a little at a time.

Sound (any rate, any channels) -> at most stereo, a rate that AAC knows -> AAC packets
"""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.container import OutputContainer

from .audio import Sound, float_converter, layout_of, mix_gain

BITS_PER_SEC_PER_CHANNEL = 160_000  # below this FFmpeg's encoder smears a sound that starts abruptly
AAC_RATES_HZ = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
OTHER_RATE_HZ = 48_000  # for all other rates, also AAC's own above it: phones do not play them
_CHUNK_SAMPLES = 1024  # one AAC frame


class SoundTrack:
    """Feed a sound to an open video file up to a given time, so that it is never encoded far ahead.

    The samples are those of the Sound: same length, same channels up to two,
    same rate if it is in AAC_RATES_HZ.
    """

    def __init__(self, container: OutputContainer, sound: Sound) -> None:
        rate_hz = sound.rate_hz if sound.rate_hz in AAC_RATES_HZ else OTHER_RATE_HZ
        layout = "mono" if len(sound.wave_CT) == 1 else "stereo"
        self._container = container
        self._stream = container.add_stream("aac", rate=rate_hz, layout=layout)
        self._stream.bit_rate = BITS_PER_SEC_PER_CHANNEL * self._stream.channels
        self._convert = float_converter(layout, rate_hz=rate_hz)
        self._sound = sound
        self._fed = 0

    def encode_until(self, secs: float | Fraction) -> None:
        """Encode the samples before this time; what was encoded before is not repeated.

        Raises:   av.FFmpegError: the file takes no more
        """
        self._feed(int(secs * self._sound.rate_hz))

    def finish(self) -> None:
        """Encode what is left and empty the encoder.

        Raises:   av.FFmpegError: the file takes no more
        """
        self._feed(self._sound.wave_CT.shape[1])
        for converted in self._convert.resample(None):
            self._container.mux(self._stream.encode(converted))
        self._container.mux(self._stream.encode(None))

    def _feed(self, end: int) -> None:
        for frame in self._frames(min(end, self._sound.wave_CT.shape[1])):
            for converted in self._convert.resample(frame):
                self._container.mux(self._stream.encode(converted))

    def _frames(self, end: int) -> Iterator[av.AudioFrame]:
        channels = len(self._sound.wave_CT)
        while self._fed < end:
            stop = min(self._fed + _CHUNK_SAMPLES, end)
            samples_CT = np.ascontiguousarray(self._sound.wave_CT[:, self._fed : stop]) * mix_gain(channels)
            frame = av.AudioFrame.from_ndarray(samples_CT, format="fltp", layout=layout_of(channels))
            frame.sample_rate, frame.pts = self._sound.rate_hz, self._fed
            frame.time_base = Fraction(1, self._sound.rate_hz)
            self._fed = stop
            yield frame
