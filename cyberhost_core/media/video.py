"""Write H.264 with the sound beside it, and read frames back.

    frames --x264--\\
                    >-- interleaved --> .talk.part-4711.mp4 --(finished)--> talk.mp4
    sound  --aac---/

The sound is encoded up to the time of the last frame written, never ahead of it, so that memory does not grow
with the length. Colours are BT.709 and tagged so; without the tag players guess by the size of the picture.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream

from ..errors import MediaError
from .audio import Sound
from .output import ensure_writable, writing, written_whole
from .sound_track import SoundTrack

SUFFIXES = (".mp4", ".m4v", ".mov")
CRF = 18  # visually lossless; x264's own default is 23
_BT709 = 1
_LIMITED_RANGE = 1


class VideoWriter:
    """Write a video piece by piece, with its sound; the file appears complete or not at all.

        with VideoWriter("talk.mp4", fps=25, height=640, width=384, sound=sound) as writer:
            writer.write(frames_FYXC)  # as often as there are pieces

    Odd sides get one more row or column, a copy of the last: 4:2:0 colour needs even sides.

    Units:    fps frames per second; height, width in pixels
    Raises:   MediaError: the place takes no file, the frames do not fit, none came, the disk is full
    """

    def __init__(
        self, path: str | Path, *, fps: float, height: int, width: int, sound: Sound | None = None
    ) -> None:
        self._rate = Fraction(fps).limit_denominator(1001)  # as units.frame_count rounds it
        if min(self._rate, height, width) <= 0:
            raise MediaError(
                f"Cannot write {width} x {height} pixels at {fps} frames per second; give positive numbers."
            )
        ensure_writable(path, suffixes=SUFFIXES)
        self._path = Path(path)
        self._height, self._width = height, width
        self._sound = sound
        self._frames = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            part = stack.enter_context(written_whole(self._path))
            with writing(self._path):
                # faststart moves the index to the front, so that a browser plays while it loads
                self._container = av.open(f"file:{part}", "w", options={"movflags": "+faststart"})
            stack.callback(self._close)
            self._video = self._add_video()
            self._track = SoundTrack(self._container, self._sound) if self._sound else None
            self._open = stack.pop_all()
        return self

    def write(self, frames_FYXC: np.ndarray) -> None:
        """Append frames, and the sound up to their end.

        Shapes:   frames_FYXC (F, height, width, 3) uint8 RGB
        Raises:   MediaError: frames of another size or type, or the file takes no more
        """
        expected = (self._height, self._width, 3)
        if frames_FYXC.shape[1:] != expected or frames_FYXC.dtype != np.uint8:
            raise MediaError(
                f"Cannot write frames of shape {frames_FYXC.shape} and type {frames_FYXC.dtype} "
                f"into {self._path}; give uint8 frames of shape (F, {self._height}, {self._width}, 3)."
            )
        with writing(self._path):
            for frame_YXC in frames_FYXC:
                self._container.mux(self._video.encode(self._encodable(frame_YXC)))
                self._frames += 1
            if self._track:
                self._track.encode_until(self._frames / self._rate)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._open.__exit__(kind, error, trace)
            return
        with self._open:
            self._finish()

    def _add_video(self) -> VideoStream:
        # On CPUs with AVX-512 x264's macroblock tree gives another result each time; without it the same
        # frames give the same bytes.
        options = {"crf": str(CRF), "mbtree": "0"}
        stream = self._container.add_stream("libx264", rate=self._rate, options=options)
        stream.height, stream.width = _even(self._height), _even(self._width)
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = _LIMITED_RANGE
        return stream

    def _encodable(self, frame_YXC: np.ndarray) -> av.VideoFrame:
        missing = (_even(self._height) - self._height, _even(self._width) - self._width)
        padded_YXC = np.pad(frame_YXC, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(padded_YXC, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE)
        frame.pts, frame.time_base = self._frames, 1 / self._rate
        return frame

    def _finish(self) -> None:
        if not self._frames:
            raise MediaError(f"Cannot write {self._path}: no frame came; write at least one.")
        with writing(self._path):
            self._container.mux(self._video.encode(None))
            if self._track:
                self._track.finish()

    def _close(self) -> None:
        with writing(self._path):
            self._container.close()


def iter_frames(path: str | Path, *, chunk: int = 32) -> Iterator[np.ndarray]:
    """Read a video in pieces, turned upright.

    Shapes:   each piece (up to chunk, Y, X, 3) uint8 RGB
    Raises:   MediaError: no such file, or no video in it that can be decoded
    """
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"There is no video file {path}; check the path.")
    try:
        with av.open(f"file:{path}") as container:
            if not container.streams.video:
                raise MediaError(f"{path} holds no video track; give an mp4, mov, mkv or webm file.")
            piece: list[np.ndarray] = []
            for frame in container.decode(video=0):
                piece.append(_upright(frame))
                if len(piece) == chunk:
                    yield np.stack(piece)
                    piece.clear()
            if piece:
                yield np.stack(piece)
    except FFmpegError as error:
        raise MediaError(
            f"{path} cannot be read as video ({error.strerror}); export it again as mp4."
        ) from error


def read_frames(path: str | Path) -> np.ndarray:
    """Read a whole video at once; for long ones take iter_frames.

    Shapes:   result (F, Y, X, 3) uint8 RGB
    Raises:   MediaError: no such file, or no frame in it that can be decoded
    """
    pieces = list(iter_frames(path))
    if not pieces:
        raise MediaError(f"{path} holds no frame that can be decoded; export it again as mp4.")
    return np.concatenate(pieces)


def _even(side: int) -> int:
    return side + side % 2


def _upright(frame: av.VideoFrame) -> np.ndarray:
    # phones store the picture lying down with a note on how far to turn it, in degrees counter-clockwise
    return np.rot90(frame.to_ndarray(format="rgb24"), k=round(frame.rotation / 90) % 4)
