"""Fit a picture to the size that a system works at."""

import numpy as np
from PIL import Image


def fit_image(image_YXC: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Crop a picture about its middle to the wanted proportions, then resize it.

    A portrait too wide loses its sides; one too tall loses its bottom, because heads are at the top.

    Shapes:   image_YXC (Y, X, 3) uint8 -> (height, width, 3) uint8
    """
    rows, columns = image_YXC.shape[:2]
    if columns * height > rows * width:
        keep = round(rows * width / height)
        left = (columns - keep) // 2
        cropped = image_YXC[:, left : left + keep]
    else:
        cropped = image_YXC[: round(columns * height / width)]
    if cropped.shape[:2] == (height, width):
        return np.ascontiguousarray(cropped)
    return np.asarray(Image.fromarray(cropped).resize((width, height), Image.Resampling.LANCZOS))
