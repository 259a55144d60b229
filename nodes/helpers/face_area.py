"""Where the face is, at the size of the latents: from a pose, or painted."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional as nnf

from ...cyberhost_core.controls.regions import face_area
from ...cyberhost_core.errors import ConfigError, PoseError
from .poses import pose_of

Area = Callable[[int, int], Tensor]  # height and width of the latents -> (height, width), 0..1


def area_of_face(pose: list[dict[str, Any]] | None, painted: Tensor | None, *, person: int) -> Area:
    """Take the painted area where there is one, else that of the pose's face.

    Raises:   ConfigError: neither is there; PoseError: the pose shows no face
    """
    if painted is not None:
        mask_11YX = painted.float().reshape(-1, 1, *painted.shape[-2:])[:1]
        return lambda height, width: nnf.interpolate(mask_11YX, size=(height, width), mode="area")[0, 0]
    if pose is None:
        raise ConfigError(
            "Parts Guidance does not know where the face is; connect the pose of the reference picture, or a "
            "mask to face_area."
        )
    found = pose_of(pose, person)[:1]
    if not face_area(found, height=found.height, width=found.width).any():
        raise PoseError(
            "The pose shows no face; use a picture of a person from the front, or paint face_area."
        )
    return lambda height, width: face_area(found, height=height, width=width)
