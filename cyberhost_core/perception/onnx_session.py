"""Open an ONNX file; the one place that imports onnxruntime.

The best provider that the installed onnxruntime brings runs it: CUDA, DirectML, CoreML, else the processor.
To bring one is not to be able to load it (a driver may be missing), so what is told is what really runs.
"""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError, MissingExtraError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
FASTEST_FIRST = (CUDA, "DmlExecutionProvider", "CoreMLExecutionProvider", CPU)


class OnnxNetwork:
    """Run a network with one input; the names of its inputs and outputs are read from the file.

    provider: what really runs it, such as CPUExecutionProvider

    Raises:   MissingExtraError: onnxruntime is not installed
              CheckpointError: no file, not an ONNX file, more than one input, or an input of another shape
    """

    def __init__(self, path: str | Path, *, purpose: str) -> None:
        self.path = Path(path)
        self._session, self._wanted = _open(self.path, purpose=purpose)
        self.provider: str = self._session.get_providers()[0]
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise CheckpointError(
                f"The network {self.path} has {len(inputs)} inputs, one was expected; "
                f"choose a file made for this purpose ({purpose})."
            )
        self._input = inputs[0]

    @property
    def runs_on(self) -> str:
        """Say what runs the network, and what could not."""
        unloaded = f" ({self._wanted} could not be loaded)" if self._wanted != self.provider else ""
        return f"ONNX Runtime, {self.provider}{unloaded}"

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
        """Return every output, in the file's order.

        Raises:   CheckpointError: the provider gave up, for want of memory or of an operation
        """
        try:
            outputs = self._session.run(None, {self._input.name: batch})
        except _unusable() as error:
            raise CheckpointError(
                f"The network {self.path} stopped on {self.provider} ({_first_line(error)}), its outputs "
                "were expected; free memory on that device, or install onnxruntime in place of "
                "onnxruntime-gpu, which then runs it on the processor."
            ) from error
        return [np.asarray(output) for output in outputs]


def best_provider(available: Sequence[str]) -> str:
    """Choose the fastest of the providers that an onnxruntime brings."""
    return next((provider for provider in FASTEST_FIRST if provider in available), CPU)


def _open(path: Path, *, purpose: str) -> tuple[Any, str]:
    """Start a session, and give the provider that was to run it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(_how_to_install(purpose)) from error
    if not path.is_file():
        raise CheckpointError(
            f"There is no file {path}; put the ONNX network for {purpose.lower()} there, or give its path."
        )
    wanted = best_provider(onnxruntime.get_available_providers())
    if wanted == CUDA and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds CUDA's libraries in torch's and NVIDIA's packages
    session, reason = _started(onnxruntime, path, wanted)
    running = session.get_providers()[0]
    if running != wanted:
        warnings.warn(
            f"{path.name} runs on {running}: {wanted} is installed, but could not be loaded ({reason}). "
            "See onnxruntime.ai for the drivers that it needs.",
            RuntimeWarning,
            stacklevel=2,
        )
    return session, wanted


def _started(onnxruntime: Any, path: Path, provider: str) -> tuple[Any, str]:
    """Start a session, on the processor where the provider refuses; and say why it did."""
    providers = list(dict.fromkeys([provider, CPU]))
    try:  # no fallback of its own: it is printed, and no caller hears of it
        session = onnxruntime.InferenceSession(str(path), providers=providers, enable_fallback=0)
    except _unusable() as error:
        if provider != CPU:
            return _started(onnxruntime, path, CPU)[0], _first_line(error)
        raise CheckpointError(
            f"The file {path} cannot be read as an ONNX network ({_first_line(error)}); download it again."
        ) from error
    return session, "its libraries are missing or of another version"


def _how_to_install(purpose: str) -> str:
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return (
        f"{purpose} needs the package 'onnxruntime', which is not installed; install it into the Python that "
        f"runs this (ComfyUI's own, where ComfyUI does) with: {python} -m pip install onnxruntime, or "
        "onnxruntime-gpu for NVIDIA cards; the library installs it with: pip install 'cyberhost[detect]'."
    )


def _unusable() -> tuple[type[Exception], ...]:
    """What onnxruntime raises for unusable files and devices; its classes derive from Exception directly."""
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    names = (
        "EPFail",
        "Fail",
        "InvalidArgument",
        "InvalidProtobuf",
        "InvalidGraph",
        "NotImplemented",
        "RuntimeException",
    )
    return (RuntimeError, ValueError, *(getattr(state, name) for name in names))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0]
