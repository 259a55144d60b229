"""Say in one line what a measurement ran on, so that seconds mean something."""

import os
import platform
from pathlib import Path

import torch

_CPU_INFO = Path("/proc/cpuinfo")


def describe_machine() -> str:
    """Name the processor, how many cores and threads are used, and the versions that matter for speed."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, torch {torch.__version__} with {torch.get_num_threads()} "
        f"threads, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def _processor() -> str:
    """The name that the processor gives itself; only Linux tells without asking another program."""
    if _CPU_INFO.is_file():
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
