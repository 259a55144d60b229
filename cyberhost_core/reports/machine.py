"""What a measurement ran on, so that seconds mean something, and the memory that this process took."""

import os
import platform
import sys
from pathlib import Path

import torch

_CPU_INFO = Path("/proc/cpuinfo")


def describe_machine() -> str:
    """Name the processor, how many cores and threads are used, and the versions that matter for speed."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, torch {torch.__version__} with {torch.get_num_threads()} "
        f"threads, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def peak_memory_mb() -> float | None:
    """The most memory that this process has held, in MiB; None where the system does not say (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # macOS counts bytes, Linux KiB


def _processor() -> str:
    """The name that the processor gives itself; only Linux tells without asking another program."""
    if _CPU_INFO.is_file():
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
