"""Where a system computes, and in what precision: what was asked for, or the best that is there."""

import torch

from ..errors import ConfigError


def usable_device(name: str | None) -> torch.device:
    """Find a device by its name; None: a CUDA device, else Apple's (mps), else the CPU.

    Raises:   ConfigError: there is no such device, or this torch cannot use it
    """
    wanted = name or _best()
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"The device '{wanted}' cannot be used ({str(error).splitlines()[0].rstrip('.')}); "
            "give --device cpu, or install a torch that knows the device."
        ) from error
    return device


def usual_dtype(device: torch.device) -> torch.dtype:
    """Give the precision to compute in where none was chosen: half on a graphics card, full on a CPU."""
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float16


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
