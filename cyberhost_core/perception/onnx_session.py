"""Open an ONNX file; the one place that imports onnxruntime."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CheckpointError, require_extra

if TYPE_CHECKING:
    import onnxruntime


class OnnxNetwork:
    """Run a network with one input; the names of its inputs and outputs are read from the file.

    Raises:   MissingExtraError: onnxruntime is not installed
              CheckpointError: no file, not an ONNX file, more than one input, or an input of another shape
    """

    def __init__(self, path: str | Path, *, purpose: str) -> None:
        self.path = Path(path)
        self._session = _open(self.path, purpose=purpose)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise CheckpointError(
                f"The network {self.path} has {len(inputs)} inputs, one was expected; "
                f"choose a file made for this purpose ({purpose})."
            )
        self._input = inputs[0]

    def require_input(self, shape: tuple[int, ...]) -> None:
        """Check the input's shape after the batch axis; axes that the file leaves open fit any size."""
        found = tuple(self._input.shape[1:])
        fits = len(found) == len(shape) and all(
            not isinstance(have, int) or have == want for have, want in zip(found, shape, strict=True)
        )
        if not fits:
            raise CheckpointError(
                f"The network {self.path} takes an input of shape {list(found)} per picture, {list(shape)} "
                "was expected; choose a file of that kind."
            )

    def batch_size(self, most: int) -> int:
        """How many pictures go in at once: as many as the file fixes, or `most` where it leaves that open."""
        fixed = self._input.shape[0]
        return fixed if isinstance(fixed, int) else most

    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """Return every output, in the file's order."""
        return [np.asarray(output) for output in self._session.run(None, {self._input.name: batch})]


def _open(path: Path, *, purpose: str) -> "onnxruntime.InferenceSession":
    try:
        import onnxruntime
    except ImportError as error:
        raise require_extra("onnxruntime", extra="detect", purpose=purpose) from error
    if not path.is_file():
        raise CheckpointError(
            f"There is no file {path}; put the ONNX network for {purpose.lower()} there, or give its path."
        )
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError, *_load_errors()) as error:
        raise CheckpointError(
            f"The file {path} cannot be read as an ONNX network ({_first_line(error)}); download it again."
        ) from error


def _load_errors() -> tuple[type[Exception], ...]:
    """What onnxruntime raises for unusable files; its classes derive from Exception directly."""
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    names = (
        "Fail",
        "InvalidArgument",
        "InvalidProtobuf",
        "InvalidGraph",
        "NotImplemented",
        "RuntimeException",
    )
    return tuple(getattr(state, name) for name in names)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0]
