"""Draw the icon and the banner of the ComfyUI registry's page: the bundled puppets, larger.

python .ci/release_pictures.py      from the repository's root; writes docs/pictures/icon.png and banner.png

The registry shows icons up to 400 x 400 pixels and banners of 21 to 9.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from cyberhost_core.bundled import FOLDER
from cyberhost_core.puppets.world import reference_portrait

PICTURES = Path("docs/pictures")
ICON, BANNER = (384, 384), (1344, 576)  # width, height
COLOURS = 128  # of the palette: keeps both files small


def main() -> None:
    """Draw both."""
    rows = json.loads((FOLDER / "portraits" / "index.json").read_text(encoding="utf-8"))
    portraits = [reference_portrait(row["identity_seed"], height=640, width=480)[0] for row in rows]
    _write(portraits[1], ICON, PICTURES / "icon.png")
    shown = np.concatenate([_top(portrait, BANNER[0] // 3, BANNER[1]) for portrait in portraits], axis=1)
    _write(shown, BANNER, PICTURES / "banner.png")


def _top(picture_YXC: np.ndarray, width: int, height: int) -> np.ndarray:
    left = (picture_YXC.shape[1] - width) // 2
    return picture_YXC[:height, left : left + width]


def _write(picture_YXC: np.ndarray, size: tuple[int, int], path: Path) -> None:
    square = picture_YXC[: picture_YXC.shape[1] * size[1] // size[0]]
    picture = Image.fromarray(square).resize(size, Image.Resampling.LANCZOS)
    picture.quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main()
