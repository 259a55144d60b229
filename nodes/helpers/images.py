"""ComfyUI's IMAGE, float32 (B, Y, X, C) in 0..1, to the core's pictures and back."""

import numpy as np
import torch
from torch import Tensor

from ...cyberhost_core.errors import ImageError

_COLOURS = 3


def frames_from_image(image: Tensor) -> np.ndarray:
    """Give pictures as 8-bit RGB; an alpha channel is cut off, as ComfyUI's own nodes do.

    Shapes:   image (F, Y, X, 3 or more); result (F, Y, X, 3) uint8
    Raises:   ImageError: no picture, or one without three colours
    """
    if image.ndim != 4 or not len(image) or image.shape[-1] < _COLOURS:
        raise ImageError(
            f"The image has the shape {list(image.shape)}, pictures x height x width x 3 colours was "
            "expected; connect the IMAGE output of Load Image or of a video loader."
        )
    colours = image[..., :_COLOURS].detach().cpu().float()
    return (colours.clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def one_picture(image: Tensor, *, what: str) -> np.ndarray:
    """Give a single picture, (Y, X, 3) uint8.

    Raises:   ImageError: a batch; `what` names the picture in the sentence ("the reference")
    """
    frames_FYXC = frames_from_image(image)
    if len(frames_FYXC) != 1:
        raise ImageError(
            f"A batch of {len(frames_FYXC)} images came as {what}, exactly 1 image was expected; "
            "pick one with ImageFromBatch."
        )
    return frames_FYXC[0]


def image_from_frames(frames_FYXC: np.ndarray) -> Tensor:
    """Give 8-bit pictures as an IMAGE.

    Shapes:   frames_FYXC (F, Y, X, 3) uint8
    """
    return torch.from_numpy(np.array(frames_FYXC)).float() / 255


def maps_from_image(image: Tensor) -> Tensor:
    """Give an IMAGE the core's order of axes, (F, 3, Y, X)."""
    return image[..., :_COLOURS].movedim(-1, 1).float()


def image_from_maps(maps_FCYX: Tensor) -> Tensor:
    """Give maps or crops, (F, 3, Y, X) in 0..1, as an IMAGE."""
    return maps_FCYX.movedim(1, -1).contiguous().float()
