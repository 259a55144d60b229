"""Read any picture as upright RGB, and write PNG.

jpg, png, webp, tiff, ... -> turned upright (EXIF) -> 16 to 8 bits -> laid onto white -> (Y, X, 3) uint8
"""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..errors import ImageError
from .output import writing, written_whole

SMALLEST_SIDE_PX = 32
LARGEST_SIDE_PX = 16_384
_16_TO_8_BITS = 257  # 65535 / 255
_GIVE = "give a PNG, JPEG or WebP picture"


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture the way a viewer shows it on a white page.

    Shapes:   result (Y, X, 3) uint8 RGB
    Raises:   ImageError: no such file, not a picture, damaged, a side below 32 or above 16384 pixels
    """
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"There is no picture {path}; check the path.")
    try:
        # Pillow warns from 89 megapixels on; the limit here is our own
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                _check_size(picture, path)
                return np.array(_as_rgb(ImageOps.exif_transpose(picture)))
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path} is too large to open safely ({error}); scale it down first.") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"{path} is not a picture that can be read; {_GIVE}.") from error
    # what Pillow raises for damaged files depends on the format
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"{path} is damaged or of an unknown kind ({error}); {_GIVE}.") from error


def save_png(path: str | Path, image_YXC: np.ndarray) -> None:
    """Write a picture as PNG, whole or not at all.

    Shapes:   image_YXC (Y, X, 3) uint8 RGB
    Raises:   MediaError: the file cannot be written
    """
    with written_whole(path) as part, writing(path):
        Image.fromarray(image_YXC).save(part, format="PNG")


def _check_size(picture: Image.Image, path: Path) -> None:
    width, height = picture.size
    if min(width, height) < SMALLEST_SIDE_PX or max(width, height) > LARGEST_SIDE_PX:
        raise ImageError(
            f"{path} is {width} x {height} pixels, but sides of {SMALLEST_SIDE_PX} to {LARGEST_SIDE_PX} "
            "were expected; scale it first."
        )


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey; Pillow's own conversion would clip at 255, not scale
        grey_YX = (np.asarray(picture, dtype=np.int64) // _16_TO_8_BITS).clip(0, 255)
        return Image.fromarray(grey_YX.astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
