"""Sounds: every usual format is read whole, everything else ends in one sentence."""

import struct
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from cyberhost_core.errors import AudioError
from cyberhost_core.media.audio import Sound, read_sound

RATE_HZ = 22_050
SECS = 1.5


def tone(*, channels: int = 1, rate_hz: int = RATE_HZ, secs: float = SECS) -> np.ndarray:
    time_T = np.arange(round(rate_hz * secs)) / rate_hz
    return np.stack([0.4 * np.sin(2 * np.pi * 220 * (1 + c) * time_T) for c in range(channels)]).astype(
        np.float32
    )


def encode(
    path: Path, wave_CT: np.ndarray, *, codec: str, layout: str = "mono", rate_hz: int = RATE_HZ
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        for start in range(0, wave_CT.shape[1], 1000):
            piece_CT = np.ascontiguousarray(wave_CT[:, start : start + 1000])
            frame = av.AudioFrame.from_ndarray(piece_CT, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate_hz, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def wav(path: Path, wave_T: np.ndarray, *, promised_bytes: int | None = None, kind: int = 1) -> Path:
    """Write a WAV by hand (kind 1: 16-bit integers, 3: 32-bit floats), so that its header can lie."""
    body = ((wave_T * 32767).astype("<i2") if kind == 1 else wave_T.astype("<f4")).tobytes()
    width = 2 if kind == 1 else 4
    size = len(body) if promised_bytes is None else promised_bytes
    form = struct.pack("<HHIIHH", kind, 1, RATE_HZ, RATE_HZ * width, width, 8 * width)
    riff = min(size + 36, 0xFFFFFFFF)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", size) + body
    )  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("a.wav", "pcm_s16le", "mono"),
        ("a.flac", "flac", "stereo"),
        ("a.mp3", "libmp3lame", "stereo"),
        ("a.m4a", "aac", "mono"),
        ("a.ogg", "libopus", "stereo"),
        ("a.mov", "pcm_s24le", "stereo"),
        ("a: b.wav", "pcm_f32le", "mono"),
    ],
)
def test_every_usual_format_is_read_at_its_own_rate_and_channels(
    tmp_path: Path, name: str, codec: str, layout: str
) -> None:
    rate_hz = 48_000 if codec == "libopus" else RATE_HZ  # Opus has no 22.05 kHz
    wave_CT = tone(channels=2 if layout == "stereo" else 1, rate_hz=rate_hz)
    sound = read_sound(encode(tmp_path / name, wave_CT, codec=codec, layout=layout, rate_hz=rate_hz))
    assert sound.rate_hz == rate_hz
    assert sound.wave_CT.shape[0] == wave_CT.shape[0]
    assert abs(sound.seconds - SECS) < 0.1
    middle_CT = sound.wave_CT[:, rate_hz // 2 : rate_hz]  # lossy encoders need a moment to get going
    assert np.abs(middle_CT).max() == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.m4a", "aac")])
def test_formats_that_know_their_length_come_out_to_the_sample(tmp_path: Path, name: str, codec: str) -> None:
    wave_CT = tone()
    assert read_sound(encode(tmp_path / name, wave_CT, codec=codec)).wave_CT.shape == wave_CT.shape


def test_lossless_samples_come_back_as_they_were(tmp_path: Path) -> None:
    wave_CT = tone(channels=2)
    sound = read_sound(encode(tmp_path / "a.wav", wave_CT, codec="pcm_f32le", layout="stereo"))
    np.testing.assert_array_equal(sound.wave_CT, wave_CT)


def test_the_sound_of_a_video_is_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        picture, voice = (
            container.add_stream("mpeg4", rate=25),
            container.add_stream("aac", rate=RATE_HZ, layout="mono"),
        )
        picture.width = picture.height = 64
        for _ in range(10):
            container.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        frame = av.AudioFrame.from_ndarray(tone(), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        container.mux([*voice.encode(frame), *voice.encode(None), *picture.encode(None)])
    assert read_sound(path).wave_CT.shape == tone().shape


def test_five_one_is_mixed_to_two_channels_within_full_scale(tmp_path: Path) -> None:
    loud_CT = np.full((6, RATE_HZ), 0.99, dtype=np.float32)
    sound = read_sound(encode(tmp_path / "a.wav", loud_CT, codec="pcm_f32le", layout="5.1"))
    assert sound.wave_CT.shape == (2, RATE_HZ)
    assert 0.9 < sound.wave_CT.max() <= 1.0


def test_speech_is_the_mean_of_the_channels_at_16_khz() -> None:
    wave_CT = tone(channels=2, rate_hz=44_100)
    speech_T = Sound(wave_CT, 44_100).speech_T()
    expected_T = tone(channels=2, rate_hz=16_000).mean(axis=0)
    assert speech_T.dtype == np.float32
    assert speech_T.shape == expected_T.shape
    np.testing.assert_allclose(speech_T[200:-200], expected_T[200:-200], atol=1e-3)


@pytest.mark.parametrize("samples", [1, 7, 441, 65_535, 65_537, 100_001])
def test_speech_has_exactly_the_samples_that_cover_the_sound(samples: int) -> None:
    speech_T = Sound(np.full((1, samples), 0.25, dtype=np.float32), 44_100).speech_T()
    assert len(speech_T) == -(-samples * 16_000 // 44_100)


def test_speech_at_16_khz_is_the_sound_itself() -> None:
    wave_CT = tone(rate_hz=16_000)
    np.testing.assert_array_equal(Sound(wave_CT, 16_000).speech_T(), wave_CT[0])


@pytest.mark.parametrize(("samples", "frames"), [(32_000, 50), (32_001, 51), (1, 1), (31_999, 50)])
def test_frames_cover_the_sound_and_no_more(samples: int, frames: int) -> None:
    assert Sound(np.zeros((1, samples), dtype=np.float32), 16_000).frames(25) == frames


def test_silence_can_be_read_but_not_driven_by(tmp_path: Path) -> None:
    sound = read_sound(wav(tmp_path / "quiet.wav", np.zeros(RATE_HZ)))
    assert sound.is_silent()
    assert not Sound(tone(), RATE_HZ).is_silent()
    with pytest.raises(AudioError, match=r"quiet\.wav is silent"):
        sound.require_audible()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"no sound file .*gone\.wav"):
        read_sound(tmp_path / "gone.wav")


@pytest.mark.parametrize("content", [b"", b"just some words\n" * 50, bytes(range(256)) * 40])
def test_a_file_that_is_no_sound_is_an_audio_error(tmp_path: Path, content: bytes) -> None:
    for name in ("a.wav", "a.mp3", "a.txt"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AudioError, match=name):
            read_sound(tmp_path / name)


def test_a_wav_without_samples_is_empty(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="empty"):
        read_sound(wav(tmp_path / "a.wav", np.zeros(0)))


def test_a_header_of_five_hours_over_one_second_is_refused_within_little_memory(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", tone(secs=1)[0], promised_bytes=5 * 3600 * RATE_HZ * 2)
    tracemalloc.start()
    with pytest.raises(AudioError, match=r"promises 18000\.0 s .* holds 1\.0 s"):
        read_sound(path)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_live_recording_without_a_known_length_is_read_to_its_end(tmp_path: Path, size: int) -> None:
    sound = read_sound(wav(tmp_path / "a.wav", tone()[0], promised_bytes=size))
    assert sound.wave_CT.shape == tone().shape


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.mov", "pcm_s16le")]
)
def test_a_download_that_broke_off_is_refused(tmp_path: Path, name: str, codec: str) -> None:
    path = encode(tmp_path / name, tone(secs=20), codec=codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=name):
        read_sound(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    wave_T = tone()[0].copy()
    wave_T[100] = bad
    with pytest.raises(AudioError, match="not numbers"):
        read_sound(wav(tmp_path / "a.wav", wave_T, kind=3))


@pytest.mark.parametrize("wave", [np.zeros(10, np.float32), np.zeros((1, 10)), np.zeros((2, 0), np.float32)])
def test_a_sound_of_the_wrong_shape_or_type_is_refused(wave: np.ndarray) -> None:
    with pytest.raises(AudioError):
        Sound(wave, 16_000)


def test_a_rate_that_no_recording_has_is_refused() -> None:
    with pytest.raises(AudioError, match="sample rate of 1 Hz"):
        Sound(tone(), 1)
