"""Sizes of about one area: each clip keeps the one nearest to its own proportions, and batches hold one.

640 x 384 in steps of 64 -> 704 x 384, 640 x 384, 576 x 384, 576 x 448, 512 x 512, ... 384 x 704

Source:   CyberHost section 4.1, appendix E: "an area similar to the 640x384 resolution, with both the height
          and width being multiples of 64"
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import ConfigError
from ..units import LATENT_STRIDE_PX

AREA_TOLERANCE = 0.1  # of the area asked for
LONGEST_ASPECT = 2.0  # longer side to shorter: half a body needs no panorama


class Size(NamedTuple):
    """A picture's size.

    Units:    px
    """

    height: int
    width: int


def bucket_sizes(base: Size, *, unit: int) -> tuple[Size, ...]:
    """List the sizes that clips may keep, from tall to wide; base is one of them.

    Units:    unit px: what both sides are multiples of. A latent cell is 8 px, and every stage of a U-Net but
              the last halves the cells: 64 px for Stable Diffusion's four stages
    Raises:   ConfigError: a unit that is no multiple of 8, or a base that is none of the unit
    Source:   CyberHost appendix E
    Reads:    "similar": within a tenth; the paper lists no sizes. Sides at most 1 : 2, unless base is beyond
    """
    if unit < LATENT_STRIDE_PX or unit % LATENT_STRIDE_PX:
        raise ConfigError(
            f"Sides that are multiples of {unit} px were asked for, but a multiple of {LATENT_STRIDE_PX} was "
            "expected; Stable Diffusion's U-Net takes 64."
        )
    if base.height % unit or base.width % unit:
        near = Size(*(max(1, round(side / unit)) * unit for side in base))
        raise ConfigError(
            f"Buckets about {base.width} x {base.height} px were asked for, but both sides must be multiples "
            f"of {unit}; take a width of {near.width} and a height of {near.height}."
        )
    area, longest = base.height * base.width, max(LONGEST_ASPECT, max(base) / min(base))
    sides = range(unit, math.isqrt(round(area * (1 + AREA_TOLERANCE) * longest)) + 1, unit)
    sizes = [Size(height, width) for height in sides for width in sides]
    fitting = [
        size
        for size in sizes
        if abs(size.height * size.width - area) <= AREA_TOLERANCE * area and max(size) / min(size) <= longest
    ]
    return tuple(sorted(fitting, key=lambda size: size.width / size.height))


def nearest_size(sizes: Sequence[Size], own: Size) -> Size:
    """Choose the size whose proportions are nearest to a picture's own: that which crops least."""
    return min(sizes, key=lambda size: abs(math.log(size.width * own.height / (size.height * own.width))))
