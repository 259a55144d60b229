"""Videos: exact lengths, true colours, the sound beside the picture, and a file that is whole or absent."""

import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cyberhost_core.errors import MediaError
from cyberhost_core.media.audio import Sound, read_sound
from cyberhost_core.media.output import ensure_writable
from cyberhost_core.media.video import VideoWriter, iter_frames, read_frames

HEIGHT, WIDTH = 48, 64
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128], [240, 200, 170]], np.uint8)


def flat_frames(count: int, *, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.broadcast_to(COLOURS[np.arange(count) % len(COLOURS), None, None], (count, height, width, 3))


def voice(*, secs: float = 1.0, rate_hz: int = 44_100, channels: int = 1) -> Sound:
    time_T = np.arange(round(secs * rate_hz)) / rate_hz
    rising_T = 0.5 * np.sin(2 * np.pi * (200 + 100 * time_T) * time_T) * np.minimum(1, time_T * 10)
    return Sound(np.stack([rising_T * (1 - 0.5 * c) for c in range(channels)]).astype(np.float32), rate_hz)


def write(path: Path, frames_FYXC: np.ndarray, *, fps: float = 25, sound: Sound | None = None) -> Path:
    _, height, width, _ = frames_FYXC.shape
    with VideoWriter(path, fps=fps, height=height, width=width, sound=sound) as writer:
        for start in range(0, len(frames_FYXC), 4):
            writer.write(frames_FYXC[start : start + 4])
    return path


def test_frames_come_back_in_number_order_and_colour(tmp_path: Path) -> None:
    frames_FYXC = flat_frames(13)
    back_FYXC = read_frames(write(tmp_path / "a.mp4", frames_FYXC))
    assert back_FYXC.shape == frames_FYXC.shape
    np.testing.assert_allclose(back_FYXC.astype(int), frames_FYXC.astype(int), atol=4)


def test_the_file_is_plain_h264_tagged_bt709_with_its_index_in_front(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", flat_frames(10), sound=voice(secs=0.4))
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.colorspace, codec.color_range) == ("h264", "yuv420p", 1, 1)
        assert container.streams.audio[0].codec_context.name == "aac"
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("fps", [25, 24, 30, 29.97, 12.5])
def test_length_in_frames_and_seconds_is_exact(tmp_path: Path, fps: float) -> None:
    path = write(tmp_path / "a.mp4", flat_frames(17), fps=fps)
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.frames == 17
        assert stream.average_rate == rate
        assert abs(stream.duration * stream.time_base - 17 / rate) < Fraction(1, 1000)
        times = [frame.pts * frame.time_base for frame in container.decode(stream)]
    np.testing.assert_allclose(
        [float(time) for time in times], [float(i / rate) for i in range(17)], atol=1e-4
    )


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 2), (48_000, 2), (22_050, 1)])
def test_the_sound_is_the_given_one_to_the_sample(tmp_path: Path, rate_hz: int, channels: int) -> None:
    sound = voice(secs=1.0, rate_hz=rate_hz, channels=channels)
    heard = read_sound(write(tmp_path / "a.mp4", flat_frames(25), sound=sound))
    assert heard.rate_hz == rate_hz
    assert heard.wave_CT.shape == sound.wave_CT.shape
    assert np.abs(heard.wave_CT - sound.wave_CT).max() < 0.05


def test_a_rate_above_what_players_take_is_brought_down(tmp_path: Path) -> None:
    heard = read_sound(write(tmp_path / "a.mp4", flat_frames(25), sound=voice(rate_hz=96_000)))
    assert heard.rate_hz == 48_000
    assert abs(heard.seconds - 1.0) < 0.001


def test_five_one_sound_is_mixed_to_stereo_within_full_scale(tmp_path: Path) -> None:
    loud = Sound(np.tile(0.9 * np.sign(voice().wave_CT), (6, 1)).astype(np.float32), 44_100)
    heard = read_sound(write(tmp_path / "a.mp4", flat_frames(25), sound=loud))
    assert heard.wave_CT.shape[0] == 2
    assert np.median(np.abs(heard.wave_CT)) == pytest.approx(0.9, abs=0.05)


def test_a_sound_longer_than_the_frames_is_kept_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", flat_frames(5), sound=voice(secs=1.0))
    assert read_sound(path).seconds == pytest.approx(1.0, abs=1e-6)
    assert len(read_frames(path)) == 5


def test_odd_sides_get_one_copied_row_and_column(tmp_path: Path) -> None:
    back_FYXC = read_frames(write(tmp_path / "a.mp4", flat_frames(3, height=47, width=63)))
    assert back_FYXC.shape == (3, 48, 64, 3)
    np.testing.assert_allclose(back_FYXC[:, -1].astype(int), back_FYXC[:, 10].astype(int), atol=4)


def test_frames_can_be_read_in_pieces(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", flat_frames(11))
    pieces = list(iter_frames(path, chunk=4))
    assert [len(piece) for piece in pieces] == [4, 4, 3]
    np.testing.assert_array_equal(np.concatenate(pieces), read_frames(path))


def test_a_phone_video_is_read_upright(tmp_path: Path) -> None:
    path = tmp_path / "phone.mp4"
    lying_YXC = np.zeros((64, 96, 3), np.uint8)
    lying_YXC[:32] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        stream.set_display_rotation(-90)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(lying_YXC)))
        container.mux(stream.encode(None))
    upright_YXC = read_frames(path)[0]
    assert upright_YXC.shape == (96, 64, 3)
    assert upright_YXC[:, -8:].min() > 200, "turned clockwise by 90 degrees, the top is on the right"
    assert upright_YXC[:, :8].max() < 50


def test_nothing_is_left_when_the_work_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        VideoWriter(tmp_path / "a.mp4", fps=25, height=HEIGHT, width=WIDTH, sound=voice()) as writer,
    ):
        writer.write(flat_frames(8))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_older_video_survives_a_failed_one(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"older")
    with (
        pytest.raises(ZeroDivisionError),
        VideoWriter(tmp_path / "a.mp4", fps=25, height=HEIGHT, width=WIDTH) as writer,
    ):
        writer.write(flat_frames(8))
        raise ZeroDivisionError
    assert (tmp_path / "a.mp4").read_bytes() == b"older"


def test_the_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", fps=25, height=HEIGHT, width=WIDTH) as writer:
        writer.write(flat_frames(8))
        assert not (tmp_path / "a.mp4").exists()
        assert all(path.name.startswith(".") for path in tmp_path.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(MediaError, match="no frame"),
        VideoWriter(tmp_path / "a.mp4", fps=25, height=48, width=64),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(MediaError, match="shape"),
        VideoWriter(tmp_path / "a.mp4", fps=25, height=48, width=64) as writer,
    ):
        writer.write(flat_frames(2, height=50))
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    frames_FYXC = np.ascontiguousarray(flat_frames(10))
    peaks = []
    for pieces in (5, 25):
        sound = voice(secs=pieces * 10 / 25, rate_hz=8_000)
        tracemalloc.start()
        with VideoWriter(tmp_path / "a.mp4", fps=25, height=HEIGHT, width=WIDTH, sound=sound) as writer:
            for _ in range(pieces):
                writer.write(frames_FYXC)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 100_000


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a process's files")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    program = f"""
import resource, sys
import numpy as np
from cyberhost_core.errors import MediaError
from cyberhost_core.media.video import VideoWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
rng = np.random.default_rng(0)
try:
    with VideoWriter({str(tmp_path / "a.mp4")!r}, fps=25, height=256, width=256) as writer:
        for _ in range(60):
            writer.write(rng.integers(0, 256, (1, 256, 256, 3), dtype=np.uint8))
except MediaError as error:
    sys.exit(str(error))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert "Cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in (tmp_path / "file" / "a.mp4", tmp_path):
        with pytest.raises(MediaError, match="Cannot write"):
            ensure_writable(path)
    with pytest.raises(MediaError, match=r"must end with \.mp4"):
        VideoWriter(tmp_path / "a.avi", fps=25, height=48, width=64)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_not_there_yet_is_fine_and_not_made_by_the_check(tmp_path: Path) -> None:
    ensure_writable(tmp_path / "new" / "deep" / "a.mp4")
    assert not (tmp_path / "new").exists()
    assert write(tmp_path / "new" / "deep" / "a.mp4", flat_frames(2)).is_file()


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    assert write(tmp_path / ("n" * 250 + ".mp4"), flat_frames(2)).is_file()


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"words" * 100)
    for name in ("a.mp4", "gone.mp4"):
        with pytest.raises(MediaError, match=name):
            read_frames(tmp_path / name)
