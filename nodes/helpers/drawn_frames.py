"""Draw long clips a few frames at a time, so that Cancel is heard."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...cyberhost_core.types import Pose
from ..bridge.progress import in_batches

_BATCH = 8  # frames between two looks at Cancel


def drawn(draw: Callable[[Tensor, Pose], Tensor], under_FCYX: Tensor, pose: Pose) -> Tensor:
    """Draw every frame of a pose on a picture of its own, or on one for all.

    Shapes:   under (F or 1, 3, Y, X); result (F, 3, Y, X)
    Raises:   ConfigError: as draw says it, of pictures in another number or size too
    """
    if len(under_FCYX) not in (1, len(pose)):
        return draw(under_FCYX, pose)
    each = len(under_FCYX) > 1
    return torch.cat(
        [
            draw(under_FCYX[batch] if each else under_FCYX, pose[batch])
            for batch in in_batches(len(pose), size=_BATCH)
        ]
    )
