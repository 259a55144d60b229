"""Body movement map: where the root of the body may go during a clip (CyberHost section 3.3).

training    thorax points of a clip -> smallest box -> grown by 100-150 % -> rectangle
inference   a box of fixed size around the reference's thorax              -> rectangle
"""

import numpy as np
import torch

from ..errors import PoseError
from ..types import SEEN, Pose
from .drawing import fill_boxes

GROWTH_RANGE = (1.0, 1.5)  # "we augment the size of the rectangular box by 100%-150%"
SMALLEST_FRAC = 0.01  # of the canvas height


def thorax_box(pose: Pose) -> np.ndarray:
    """Bound the places that the thorax point visits over a clip.

    Shapes:   result (4,) x0, y0, x1, y1; without area when the thorax rests
    Units:    px of the pose's canvas
    Raises:   PoseError: the thorax is seen in no frame
    Source:   CyberHost (ICLR 2025) section 3.3 "Body Movement Map"
    Reads:    "thorax point" is OpenPose's neck, the midpoint of the shoulders
    """
    thorax_FC = pose.thorax_FC()
    seen_FC = thorax_FC[thorax_FC[:, 2] >= SEEN]
    if not len(seen_FC):
        raise PoseError(
            f"The thorax is seen in none of {len(pose)} frames (best score "
            f"{thorax_FC[:, 2].max(initial=0.0):.2f}, at least {SEEN} expected); "
            "use a picture that shows both shoulders, or draw the movement box by hand."
        )
    return np.concatenate([seen_FC[:, :2].min(0), seen_FC[:, :2].max(0)]).astype(np.float32)


def movement_box(pose: Pose, *, growth: float, smallest_frac: float = SMALLEST_FRAC) -> np.ndarray:
    """Bound the thorax of a training clip, then grow the box so that motion fills it only loosely.

    Without the growth a model would take the box for the motion itself and move rigidly at inference. A clip
    whose thorax rests keeps a box of the smallest size, so that the map is never empty.

    Shapes:   result (4,) x0, y0, x1, y1
    Units:    px; growth a ratio, drawn by the caller from GROWTH_RANGE; smallest_frac of the canvas height
    Raises:   PoseError: the thorax is seen in no frame
    Source:   CyberHost (ICLR 2025) section 3.3 "Body Movement Map"
    Reads:    "augment the size ... by 100%-150%": size becomes size * (1 + growth) with growth in 1.0..1.5,
              both sides alike, about the centre; the other reading, size * growth, leaves some boxes as they
              are
    """
    box = thorax_box(pose)
    size = np.maximum((box[2:] - box[:2]) * (1 + growth), smallest_frac * pose.height)
    return _centred((box[:2] + box[2:]) / 2, size)


def fixed_box(pose: Pose, *, width_frac: float, height_frac: float) -> np.ndarray:
    """Place a box of a chosen size around the reference's thorax: the movement map of inference.

    Shapes:   result (4,) x0, y0, x1, y1
    Units:    px; width_frac of the canvas width, height_frac of its height
    Raises:   PoseError: the thorax is not seen
    Source:   CyberHost (ICLR 2025) section 3.3: "we input a body movement map of fixed size"
    Reads:    the paper names neither size nor place; the place is the thorax of the reference image
    """
    box = thorax_box(pose)
    size = np.array([width_frac * pose.width, height_frac * pose.height])
    return _centred((box[:2] + box[2:]) / 2, size)


def draw_movement_map(box: np.ndarray, *, height: int, width: int) -> torch.Tensor:
    """Draw a box as a white rectangle on black; edge pixels hold the area that the box covers.

    Shapes:   box (4,) x0, y0, x1, y1; result (3, height, width) float32
    Units:    box in px of a height x width canvas; result 0..1
    Source:   CyberHost (ICLR 2025) section 3.3 "Body Movement Map"
    """
    mask_1HW = fill_boxes(np.asarray(box, dtype=np.float32)[None], height=height, width=width)
    return torch.from_numpy(np.repeat(mask_1HW, 3, axis=0))


def _centred(centre: np.ndarray, size: np.ndarray) -> np.ndarray:
    return np.concatenate([centre - size / 2, centre + size / 2]).astype(np.float32)
