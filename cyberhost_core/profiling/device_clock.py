"""Time work on a device: its kernels run on after the call that started them has returned."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from ..errors import ConfigError

Result = TypeVar("Result")
_MIB = 2**20


class DeviceClock:
    """Time stages by name, each until the device has done its work; the same stage may run several times.

    Units:    seconds: stage -> one per run
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._device = device
        self._peaks: dict[str, int] = {}

    def time(self, stage: str, work: Callable[[], Result]) -> Result:
        """Do the work."""
        self._settle()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        began = time.perf_counter()
        result = work()
        self._settle()
        self.seconds[stage].append(time.perf_counter() - began)
        if self._device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self._device)
            self._peaks[stage] = max(peak, self._peaks.get(stage, 0))
        return result

    def peak_mib(self, stage: str) -> float | None:
        """The most that tensors took on the device during a stage; None where it is not counted."""
        return self._peaks[stage] / _MIB if stage in self._peaks else None

    def _settle(self) -> None:
        if self._device.type != "cpu":
            getattr(torch, self._device.type).synchronize()


def describe_device(device: torch.device) -> str:
    """Name a graphics card and its memory, with a comma after it; nothing for a CPU."""
    if device.type != "cuda":
        return ""
    found = torch.cuda.get_device_properties(device)
    return f"{found.name} with {found.total_memory / _MIB:,.0f} MiB, CUDA {torch.version.cuda}, "


@contextmanager
def too_large_in_words(device: torch.device) -> Iterator[None]:
    """Turn running out of the device's memory into one sentence.

    Raises:   ConfigError: the work in this context does not fit
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ConfigError(
            f"The segment does not fit into the memory of '{device}'; ask 'cyberhost memory' what it takes, "
            "and give a smaller --height, --width or --frames."
        ) from error
