"""What a video file says of itself, before any frame of it is decoded."""

from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from ..errors import MediaError


@dataclass(frozen=True)
class VideoFacts:
    """Hold a video's rate and whether it has sound.

    Units:    fps: frames per second, on average
    """

    fps: float
    has_sound: bool


def video_facts(path: str | Path) -> VideoFacts:
    """Read a video's header.

    Raises:   MediaError: no such file, no video in it, or no rate
    """
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"There is no video file {path}; check the path.")
    try:
        with av.open(f"file:{path}") as container:
            rates = [stream.average_rate for stream in container.streams.video]
            has_sound = bool(container.streams.audio)
    except FFmpegError as error:
        raise MediaError(
            f"{path} cannot be read as video ({error.strerror}); export it again as mp4."
        ) from error
    if not rates or not rates[0]:
        raise MediaError(f"{path} holds no video track with a frame rate; export it again as mp4.")
    return VideoFacts(fps=float(rates[0]), has_sound=has_sound)
