"""Hand maps: the hands of every frame rendered as surfaces, the "MANO maps" of EMO2's stage 2 (section 3.4).

parameters -> posed surfaces -> pixels of the picture -> nearest surface at every pixel
    red    how near a left hand's surface is, within its hand
    green  the same of a right hand
    blue   how squarely either faces the viewer: dark edges keep fingers apart
"""

import numpy as np
import torch

from ..kinematics import in_picture
from ..parameters import HandParameters
from ..skeleton import SIDES
from .capsules import capsule_surfaces
from .surface import HandSurface, Surfaces, posed
from .triangles import Triangles, paint_nearest

DARKEST, MIDDLE = 0.2, 0.6  # a hand length behind the wrist, and at its depth; as far before it: 1
FACING = 2  # the channel
_OVERSAMPLING = 2
_PIXELS_AT_ONCE = 3_000_000  # of the oversampled canvas: bounds the memory, whatever the length


def draw_hand_maps(
    parameters: HandParameters, *, height: int, width: int, surfaces: Surfaces | None = None
) -> torch.Tensor:
    """Render both hands of every frame on black; hands that are not valid are left out.

    Shapes:   result (F, 3, height, width) float32
    Units:    0..1; red (left) and green (right): 0.6 at the wrist's depth, 0.2 more or less per half hand
              length towards the viewer or away, 0 elsewhere; blue: cosine between surface and view
    Raises:   PoseError: no frame shows a hand
    Source:   EMO2 section 3.4: "MANO maps ... explicitly describe the hand movement in the generated frames,
              detailing aspects such as shape, size, and pose"
    Reads:    the paper does not say how its maps are coloured; depth is within each hand, because the picture
              shows a hand's own relief, and hardly how far from the body it is held
    """
    parameters.require_hands()
    surfaces = capsule_surfaces() if surfaces is None else surfaces
    size = (height * _OVERSAMPLING, width * _OVERSAMPLING)
    at_once = max(1, _PIXELS_AT_ONCE // (size[0] * size[1]))
    maps = [
        _drawn(parameters[first : first + at_once], surfaces, height=size[0], width=size[1])
        for first in range(0, len(parameters), at_once)
    ]
    return torch.from_numpy(np.concatenate(maps))


def _drawn(parameters: HandParameters, surfaces: Surfaces, *, height: int, width: int) -> np.ndarray:
    """Draw some frames at twice their size and shrink them: (F, 3, H / 2, W / 2)."""
    canvas = np.zeros((len(parameters), height, width, 3), dtype=np.float32)
    hands = [_triangles(parameters, surfaces[side], height=height, width=width) for side in SIDES]
    together = [np.concatenate(parts) for parts in zip(*hands, strict=True)]
    paint_nearest(canvas, Triangles(*together))
    rows = canvas[:, ::_OVERSAMPLING] + canvas[:, 1::_OVERSAMPLING]
    shrunk = (rows[:, :, ::_OVERSAMPLING] + rows[:, :, 1::_OVERSAMPLING]) / _OVERSAMPLING**2
    return np.ascontiguousarray(shrunk.transpose(0, 3, 1, 2))


def _triangles(
    parameters: HandParameters, surface: HandSurface, *, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List one hand's triangles in all frames that show it: frame, corners, colours."""
    hand = SIDES.index(surface.side)
    frame_N = np.flatnonzero(parameters.valid_FH[:, hand])
    now = posed(surface, parameters.matrices()[frame_N, hand])
    sizes_F = np.broadcast_to(parameters.sizes_frac_FH, parameters.valid_FH.shape)[frame_N, hand]
    vertices = in_picture(
        now.vertices_FV3,
        parameters.translations()[frame_N, hand],
        size_frac=sizes_F[:, None, None],
        height=height,
        width=width,
    )
    colours = np.zeros((*vertices.shape[:2], 3), dtype=np.float32)
    colours[..., hand] = np.clip(MIDDLE + (1 - MIDDLE) * now.vertices_FV3[..., 2], DARKEST, 1)
    colours[..., FACING] = np.clip(now.normals_FV3[..., 2], 0, 1)
    faces = surface.faces_T3
    return (
        np.repeat(frame_N, len(faces)),
        vertices[:, faces].reshape(-1, 3, 3).astype(np.float32),
        colours[:, faces].reshape(-1, 3, 3),
    )
