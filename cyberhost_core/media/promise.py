"""How long a sound file says it is, as against how long it turns out to be.

FFmpeg clips a WAV's promise to the file's size without a word, so that header is read here. Where a container
has a table or header of its own (mp4, flac, ...) FFmpeg's figure is the promise. For mp3 and raw streams it
is an estimate from the bit rate, often far off, and no promise at all.
"""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from av.container import InputContainer

from ..errors import AudioError

MISSING_FRACTION, MISSING_SECS = 0.1, 1.0  # a header may promise this much more than the file holds
_PROMISING = ("flac", "mov,mp4", "aiff", "caf", "w64")
_LIVE_SLACK = 4096
_LONGEST_PACKET = 4608  # samples; FLAC's largest usual block, AAC has 1024 or 2048


def promised_secs(container: InputContainer, path: Path) -> float | None:
    """Read how long the file's header says its sound is.

    Units:    seconds; None: the header makes no promise (live recordings, mp3)
    """
    if container.format.name == "wav":
        with path.open("rb") as file:
            return _wav_secs(file)
    stream = container.streams.audio[0]
    if stream.duration is None or stream.time_base is None:
        return None
    return float(stream.duration * stream.time_base) if container.format.name.startswith(_PROMISING) else None


def check_promise(path: Path, *, promised: float | None, held: float) -> None:
    """Refuse a file that holds much less than its header promises.

    Units:    promised, held in seconds
    Raises:   AudioError: more than a tenth and more than a second is missing
    """
    if promised is None or promised - held <= max(MISSING_SECS, MISSING_FRACTION * promised):
        return
    raise AudioError(
        f"{path} is cut short: its header promises {promised:.1f} s of sound, "
        f"but the file holds {held:.1f} s; download or export it again."
    )


def without_padding(wave_CT: np.ndarray, *, rate_hz: int, promised: float | None) -> np.ndarray:
    """Cut off what fills up the last packet of a compressed sound; the container knows where the sound ends.

    Without this an m4a would come out up to a packet too long, and the video a frame too long with it.

    Shapes:   wave_CT (C, T), result (C, <= T)
    Units:    promised in seconds
    """
    surplus = wave_CT.shape[1] - round(promised * rate_hz) if promised else 0
    return wave_CT[:, :-surplus] if 0 < surplus <= _LONGEST_PACKET else wave_CT


def _wav_secs(file: BinaryIO) -> float | None:
    """Walk the RIFF chunks up to the samples: seconds = data bytes / bytes per second."""
    if file.read(12)[:4] != b"RIFF":
        return None
    bytes_per_sec = 0
    while len(head := file.read(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        if kind == b"data":
            return None if _is_live(size) or not bytes_per_sec else size / bytes_per_sec
        body_start = file.tell()
        if kind == b"fmt ":
            bytes_per_sec = int.from_bytes(file.read(12)[8:12], "little")
        file.seek(body_start + size + size % 2)
    return None


def _is_live(size: int) -> bool:
    """Say whether a data size means "unknown": 0, or near 2^31 or 2^32, as live recorders write."""
    return size == 0 or any(abs(size - top) <= _LIVE_SLACK for top in (1 << 31, (1 << 32) - 1))
