"""In what precision products are computed: as asked, unless the machine would only imitate it."""

import torch

from .loop import LoopConfig, Precision


def computed_precision(loop: LoopConfig) -> Precision:
    """Take the loop's precision, or float32 for bf16 on a CPU that has no instructions for it.

    Such a CPU imitates bf16, more than ten times slower than float32 and no more exact; a GPU is not asked.
    """
    return "no" if loop.precision == "bf16" and _is_imitated() else loop.precision


def precision_notice(loop: LoopConfig) -> str:
    """Say what is computed otherwise than the loop asks; empty where nothing is."""
    if computed_precision(loop) == loop.precision:
        return ""
    return (
        "this CPU has no instructions for bf16 and would imitate it, more than ten times slower; float32 is "
        "computed instead."
    )


def _is_imitated() -> bool:
    devices = (torch.cuda, torch.backends.mps, torch.xpu)
    return not any(device.is_available() for device in devices) and not _cpu_knows_bf16()


def _cpu_knows_bf16() -> bool:
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
