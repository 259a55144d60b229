"""The files that come with the package: tiny weights, puppet-sized outside networks, portraits and voices.

tiny.safetensors    the tiny system, trained on drawn puppets
tiny-emo2.safetensors    the tiny EMO2: the same people, driven by hands; shares parts with tiny.safetensors
tiny-paha.safetensors    the tiny PAHA: one network; shares parts with tiny.safetensors
tiny-classifiers.safetensors, and -emo2-, -paha-    what guidance by parts asks of their clips
tiny-gestures.safetensors  hands from sound: EMO2's stage 1, trained on puppets' gestures
puppet-pose.onnx    a whole-body pose detector for puppets, with DWPose's inputs and outputs
puppet-face.onnx    a face identity network for puppets, with ArcFace's inputs and outputs
puppet-pose.safetensors, puppet-face.safetensors    the same two, for where onnxruntime is not installed
portraits/  speech/ pictures and voices to try it with
"""

from pathlib import Path

from ..errors import CheckpointError

FOLDER = Path(__file__).parent
CHECKPOINT = FOLDER / "tiny.safetensors"
HANDS_CHECKPOINT = FOLDER / "tiny-emo2.safetensors"
UNIFIED_CHECKPOINT = FOLDER / "tiny-paha.safetensors"
CLASSIFIERS = FOLDER / "tiny-classifiers.safetensors"
HANDS_CLASSIFIERS = FOLDER / "tiny-emo2-classifiers.safetensors"
UNIFIED_CLASSIFIERS = FOLDER / "tiny-paha-classifiers.safetensors"
GESTURES = FOLDER / "tiny-gestures.safetensors"
POSE_DETECTOR = FOLDER / "puppet-pose.onnx"
FACE_IDENTITY = FOLDER / "puppet-face.onnx"
POSE_NETWORK = POSE_DETECTOR.with_suffix(".safetensors")
FACE_NETWORK = FACE_IDENTITY.with_suffix(".safetensors")


def require(path: Path) -> Path:
    """Give a bundled file back if it is there.

    Raises:   CheckpointError: the file is missing from this installation
    """
    if not path.is_file():
        raise CheckpointError(
            f"The bundled file {path.name} is missing from {path.parent}; "
            "install the package again, or give a file of your own."
        )
    return path


def checkpoint(chosen: Path | None) -> Path:
    """Find the weights to use: none chosen means the tiny system, a bundled file may be named without suffix.

    Raises:   CheckpointError: the bundled file is missing
    """
    named = {path.stem: path for path in (CHECKPOINT, HANDS_CHECKPOINT, UNIFIED_CHECKPOINT)}
    if chosen is None:
        return require(CHECKPOINT)
    return require(named[str(chosen)]) if str(chosen) in named and not chosen.exists() else chosen


def portraits() -> list[Path]:
    """List the bundled portraits by name.

    Raises:   CheckpointError: none is there
    """
    return _files("portraits", (".png", ".jpg"))


def speech() -> list[Path]:
    """List the bundled voices by name.

    Raises:   CheckpointError: none is there
    """
    return _files("speech", (".flac", ".wav", ".mp3", ".ogg", ".m4a"))


def _files(folder: str, suffixes: tuple[str, ...]) -> list[Path]:
    found = sorted(path for path in (FOLDER / folder).glob("*") if path.suffix in suffixes)
    if not found:
        raise CheckpointError(
            f"The bundled {folder} are missing: {FOLDER / folder} holds none; install the package again."
        )
    return found
