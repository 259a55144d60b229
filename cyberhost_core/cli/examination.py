"""Look at an installation without changing it: versions, devices, bundled files, codecs, disk.

The table of extras is pyproject.toml's, by the module each package brings; a test holds the two together.
"""

import hashlib
import importlib
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

import av.codec
from av.error import FFmpegError

from .. import bundled
from ..errors import CheckpointError, CyberHostError

OLDEST_PYTHON = (3, 11)
DEMO_DISK_MB = 100
DEMO_EXTRAS = ("standalone", "detect")
CODECS = {"libx264": "H.264 video", "aac": "AAC sound"}
EXTRAS = {
    "standalone": {
        "torch": "torch",
        "numpy": "numpy",
        "safetensors": "safetensors",
        "diffusers": "diffusers",
        "transformers": "transformers",
        "av": "av",
        "soundfile": "soundfile",
        "pillow": "PIL",
        "pydantic": "pydantic",
        "tqdm": "tqdm",
        "typer": "typer",
    },
    "audio": {"librosa": "librosa"},
    "detect": {"onnxruntime": "onnxruntime", "opencv-python-headless": "cv2"},
    "fetch": {"huggingface-hub": "huggingface_hub"},
    "train": {
        "accelerate": "accelerate",
        "onnx": "onnx",
        "onnxscript": "onnxscript",
        "pyyaml": "yaml",
        "tensorboard": "tensorboard",
    },
    "train-8bit": {"bitsandbytes": "bitsandbytes"},
}


@dataclass(frozen=True, kw_only=True)
class Examination:
    """Hold everything that was found.

    Units:    extras: extra -> package -> version; bundled: file -> "bytes", "sha256"; None: absent.
              onnx: what really runs an ONNX network here, tried with a bundled one, or why none runs;
              problems: one sentence each, and only about what keeps the demo from running
    """

    python: str
    torch: str | None
    devices: list[str]
    extras: dict[str, dict[str, str | None]]
    bundled: dict[str, dict[str, int | str] | None]
    codecs: dict[str, bool]
    onnx: str
    espeak_ng: str | None
    disk_free_mb: int
    problems: list[str]


def examine() -> Examination:
    """Look at this installation; nothing is changed and nothing is downloaded."""
    torch_version, devices = _torch()
    extras = {
        extra: {package: _version(package, module) for package, module in packages.items()}
        for extra, packages in EXTRAS.items()
    }
    files = {str(path.relative_to(bundled.FOLDER)): _fingerprint(path) for path in _bundled_files()}
    codecs = {name: _can_encode(name) for name in CODECS}
    disk_free_mb = shutil.disk_usage(Path.cwd()).free // 2**20
    return Examination(
        python=platform.python_version(),
        torch=torch_version,
        devices=devices,
        extras=extras,
        bundled=files,
        codecs=codecs,
        onnx=_onnx(),
        espeak_ng=shutil.which("espeak-ng"),
        disk_free_mb=disk_free_mb,
        problems=[
            *_python_problems(),
            *_package_problems(extras),
            *_bundled_problems(files),
            *(
                f"PyAV cannot write {CODECS[name]}; install av from its wheel."
                for name in CODECS
                if not codecs[name]
            ),
            *(
                [f"Only {disk_free_mb} MB of disk are free here; make room."]
                if disk_free_mb < DEMO_DISK_MB
                else []
            ),
        ],
    )


def _torch() -> tuple[str | None, list[str]]:
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError):  # OSError: its libraries do not load on this machine
        return None, []
    devices = [f"cpu ({torch.get_num_threads()} threads)"]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        devices.append(f"cuda:{index} ({properties.name}, {properties.total_memory // 2**30} GB)")
    if torch.backends.mps.is_available():
        devices.append("mps")
    return torch.__version__, devices


def _onnx() -> str:
    try:
        network = importlib.import_module("..perception.onnx_session", __package__)
        return network.OnnxNetwork(bundled.POSE_DETECTOR, purpose="Pose detection").runs_on
    except (ImportError, CyberHostError) as error:
        return f"none: {error}"


def _version(package: str, module: str) -> str | None:
    """Give a package's version; a sister package that brings the same module (onnxruntime-gpu) counts."""
    if util.find_spec(module) is None:
        return None
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "present"


def _bundled_files() -> list[Path]:
    folders = [
        path
        for name in ("portraits", "speech", "clips", "hand-tracks")
        for path in sorted((bundled.FOLDER / name).glob("*.*"))
    ]
    networks = [
        bundled.HANDS_CHECKPOINT,
        bundled.UNIFIED_CHECKPOINT,
        bundled.CLASSIFIERS,
        bundled.HANDS_CLASSIFIERS,
        bundled.UNIFIED_CLASSIFIERS,
        bundled.GESTURES,
        bundled.POSE_DETECTOR,
        bundled.FACE_IDENTITY,
        bundled.POSE_NETWORK,
        bundled.FACE_NETWORK,
    ]
    return [bundled.CHECKPOINT, *networks, *folders]


def _fingerprint(path: Path) -> dict[str, int | str] | None:
    if not path.is_file():
        return None
    return {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _can_encode(codec: str) -> bool:
    try:
        return av.codec.Codec(codec, "w").is_encoder
    except (ValueError, FFmpegError):
        return False


def _python_problems() -> list[str]:
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return []
    return [f"Python {platform.python_version()} is too old; install 3.11 or newer."]


def _package_problems(extras: dict[str, dict[str, str | None]]) -> list[str]:
    return [
        f"The package {package} is missing; install it with: pip install 'cyberhost[{extra}]'."
        for extra in DEMO_EXTRAS
        for package, version in extras[extra].items()
        if version is None
    ]


def _bundled_problems(files: dict[str, dict[str, int | str] | None]) -> list[str]:
    problems = [
        f"The bundled file {name} is missing; install the package again."
        for name, held in files.items()
        if not held
    ]
    for listing in (bundled.portraits, bundled.speech):
        try:
            listing()
        except CheckpointError as error:
            problems.append(str(error))
    return problems
