"""Finished files and pictures as ComfyUI's native VIDEO."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from comfy_api.v0_0_2 import InputImpl, Types
from torch import Tensor


def video_from_file(path: Path) -> Any:
    """Hand a file over without decoding it."""
    return InputImpl.VideoFromFile(str(path))


def video_from_frames(images_FYXC: Tensor, *, audio: Any, fps: float) -> Any:
    """Hand pictures over as a VIDEO; of odd sides a row or column is cut, which H.264 asks for."""
    height, width = (side - side % 2 for side in images_FYXC.shape[1:3])
    components = Types.VideoComponents(
        images=images_FYXC[:, :height, :width], audio=audio, frame_rate=Fraction(fps).limit_denominator(1001)
    )
    return InputImpl.VideoFromComponents(components)
