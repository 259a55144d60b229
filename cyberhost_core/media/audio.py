"""Read any sound that FFmpeg reads, and hand it over as speech at 16 kHz.

    mp3, flac, wav, m4a, ogg, a video's sound track
        -> read_sound -> Sound (the original samples: what is muxed into the result)
                           -> speech_T (mono, 16 kHz: what the audio features see)

A header can promise hours that the file does not hold. Memory therefore follows what is decoded, never what
is promised, and a promise broken by more than a little is an error: the rest of the talk would be missing.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError

from ..errors import AudioError
from ..units import SPEECH_RATE_HZ, frame_count
from .promise import check_promise, promised_secs, without_padding

SILENCE_PEAK = 1e-3  # -60 dB of full scale: below this not even a whisper is left
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 4_000, 768_000
DAMAGED_FRACTION = 0.05  # players skip a broken packet now and then, and so do we; more is a broken file
_CHUNK_SAMPLES = 1 << 16
_GIVE = "give a wav, mp3, flac, m4a or ogg file, or a video with sound"


@dataclass(frozen=True, eq=False)
class Sound:
    """Hold a sound as it was recorded.

    Shapes:   wave_CT (C, T) float32, one row per channel
    Units:    wave_CT -1..1 at full scale (a float file may go beyond); rate_hz samples per second
    Raises:   AudioError: no samples, samples that are not numbers, a rate that no recording has
    """

    wave_CT: np.ndarray
    rate_hz: int
    name: str = "The sound"

    def __post_init__(self) -> None:
        if self.wave_CT.ndim != 2 or self.wave_CT.dtype != np.float32:
            raise AudioError(
                f"{self.name} came as {self.wave_CT.dtype} of shape {self.wave_CT.shape}, "
                "but (channels, samples) float32 was expected; convert it first."
            )
        if self.wave_CT.size == 0:
            raise AudioError(
                f"{self.name} is empty: it holds 0 samples; give a sound of at least one video frame."
            )
        # min and max carry NaN and infinity through, without a second array as long as the sound
        if not (np.isfinite(self.wave_CT.min()) and np.isfinite(self.wave_CT.max())):
            raise AudioError(
                f"{self.name} holds samples that are not numbers (NaN or infinity), "
                "but every sample must be a finite number; export the sound again."
            )
        if not LOWEST_RATE_HZ <= self.rate_hz <= HIGHEST_RATE_HZ:
            raise AudioError(
                f"{self.name} has a sample rate of {self.rate_hz} Hz, but "
                f"{LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz was expected; export it again at 48000 Hz."
            )

    @property
    def seconds(self) -> float:
        return self.wave_CT.shape[1] / self.rate_hz

    def frames(self, fps: float) -> int:
        """Count the video frames that cover this sound: ceil(duration x fps)."""
        return frame_count(self.wave_CT.shape[1], rate_hz=self.rate_hz, fps=fps)

    def first(self, frames: int, *, fps: float) -> "Sound":
        """Cut off what would sound after a number of video frames; a sound that they cover stays as it is."""
        samples = math.ceil(frames * self.rate_hz / Fraction(fps).limit_denominator(1001))
        return replace(self, wave_CT=self.wave_CT[:, :samples])

    def is_silent(self) -> bool:
        """Say whether nothing in this sound is loud enough to be heard."""
        return bool(max(self.wave_CT.max(), -self.wave_CT.min()) < SILENCE_PEAK)

    def require_audible(self) -> None:
        """Refuse silence where speech is needed.

        Raises:   AudioError: the sound is silent
        """
        if self.is_silent():
            raise AudioError(
                f"{self.name} is silent ({self.seconds:.1f} s, nothing above -60 dB), "
                "but a voice is needed to drive the video; check the recording or pick another file."
            )

    def speech_T(self) -> np.ndarray:
        """Convert to what speech networks take: one channel at 16 kHz.

        Channels are averaged, so that a stereo copy of a mono voice keeps its level.

        Shapes:   result (T,) float32 with T = ceil(samples x 16000 / rate_hz), contiguous
        """
        length = math.ceil(self.wave_CT.shape[1] * SPEECH_RATE_HZ / self.rate_hz)
        speech_T = np.zeros(length, dtype=np.float32)
        at = 0
        for piece_T in _resampled(_mono_chunks(self.wave_CT), rate_hz=self.rate_hz):
            piece_T = piece_T[: length - at]  # the resampler's tail may run a few samples over
            speech_T[at : at + len(piece_T)] = piece_T
            at += len(piece_T)
        return speech_T


def read_sound(path: str | Path) -> Sound:
    """Read the first sound track of a file.

    One and two channels stay as they are; more are mixed down to two.

    Raises:   AudioError: no such file, empty, no sound in it, damaged, shorter than its header says, NaN
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"There is no sound file {path}; check the path.")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes), but a sound file was expected; export it again.")
    try:
        # "file:" keeps FFmpeg from reading a colon in the name as a protocol
        with av.open(f"file:{path}") as container:
            wave_CT, rate_hz = _decode(container, path)
            promised = promised_secs(container, path)
    except FFmpegError as error:
        raise AudioError(f"{path} cannot be read as sound ({error.strerror}); {_GIVE}.") from error
    check_promise(path, promised=promised, held=wave_CT.shape[1] / rate_hz)
    return Sound(without_padding(wave_CT, rate_hz=rate_hz, promised=promised), rate_hz, name=str(path))


def float_converter(layout: str, *, rate_hz: int) -> av.AudioResampler:
    """Build a converter to interleaved float; scale its input by mix_gain, or a mix may exceed full scale."""
    return av.AudioResampler(format="flt", layout=layout, rate=rate_hz)


def mix_gain(channels: int) -> np.float32:
    """Give the factor that keeps a mix of this many channels down to two within full scale.

    Left gets left + centre / sqrt 2 + left surround / sqrt 2; FFmpeg scales that sum for integers only.
    """
    return np.float32(1.0 if channels <= 2 else 1 / (1 + math.sqrt(2)))


def layout_of(channels: int) -> str:
    """Name the usual layout for a number of channels, in FFmpeg's words.

    Raises:   AudioError: more channels than any usual layout has
    """
    if channels not in _LAYOUTS:
        raise AudioError(
            f"The sound has {channels} channels, but 1 to 8 were expected; mix it down to stereo first."
        )
    return _LAYOUTS[channels]


_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def _decode(container: InputContainer, path: Path) -> tuple[np.ndarray, int]:
    if not container.streams.audio:
        raise AudioError(f"{path} holds no sound track; {_GIVE}.")
    stream = container.streams.audio[0]
    channels = min(stream.channels, 2)
    # a bytearray grows in place, so the peak stays near the sound's own size; joining a list would double it
    samples = bytearray()
    for frame in _interleaved(container, path):
        samples += frame.to_ndarray().tobytes()
    if not samples:
        raise AudioError(f"{path} is empty: no sample could be decoded; export it again.")
    wave_CT = np.frombuffer(samples, dtype=np.float32).reshape(-1, channels).T
    wave_CT *= mix_gain(stream.channels)
    return wave_CT, stream.rate


def _interleaved(container: InputContainer, path: Path) -> Iterator[av.AudioFrame]:
    """Yield interleaved float frames; broken packets are skipped as players do, up to a limit."""
    stream = container.streams.audio[0]
    layout = "mono" if stream.channels == 1 else "stereo"
    converters: dict[tuple[str, str, int], av.AudioResampler] = {}
    packets = broken = 0
    for packet in container.demux(stream):
        packets += 1
        try:
            frames = packet.decode()
        except InvalidDataError:
            broken += 1
            continue
        for frame in frames:
            # joined recordings change their format half way, and a converter takes only one
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if kind not in converters:
                converters[kind] = float_converter(layout, rate_hz=stream.rate)
            yield from converters[kind].resample(frame)
    for converter in converters.values():
        yield from converter.resample(None)
    if broken > max(1, DAMAGED_FRACTION * packets):
        raise AudioError(
            f"{path} is damaged: {broken} of {packets} packets cannot be decoded; export it again."
        )


def _mono_chunks(wave_CT: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, wave_CT.shape[1], _CHUNK_SAMPLES):
        yield wave_CT[:, start : start + _CHUNK_SAMPLES].mean(axis=0, dtype=np.float32)


def _resampled(chunks: Iterator[np.ndarray], *, rate_hz: int) -> Iterator[np.ndarray]:
    """Pass mono chunks through FFmpeg's resampler, which keeps its filter state from one to the next."""
    if rate_hz == SPEECH_RATE_HZ:
        yield from chunks
        return
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SPEECH_RATE_HZ)
    for chunk_T in chunks:
        frame = av.AudioFrame.from_ndarray(chunk_T[None], format="flt", layout="mono")
        frame.sample_rate = rate_hz
        for piece in resampler.resample(frame):
            yield piece.to_ndarray()[0]
    for piece in resampler.resample(None):
        yield piece.to_ndarray()[0]
