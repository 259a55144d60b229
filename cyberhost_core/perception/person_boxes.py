"""Where people are in a picture, with a YOLOX network (yolox_l.onnx or a twin of the same signature).

    picture --fit into 640 x 640, grey beside and below--> [N, 3, 640, 640] --network--> [N, 8400, 85]
    8400 = cells of 80 x 80, 40 x 40, 20 x 20 (8, 16, 32 px each)
    85   = centre and log size in cells, how sure that there is something, 80 kinds of things (0: person)
    -> boxes in the picture -> the surest of those that overlap -> from left to right

Colours go in as BGR 0..255, as YOLOX was trained. (Public ports of DWPose disagree: some feed RGB.)
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from ..errors import CheckpointError
from ..types import PACKED_POINTS, Pose
from .network import open_network
from .protocols import FindsPoseInBoxes

INPUT_PX = 640
STRIDES_PX = (8, 16, 32)
CELLS = sum((INPUT_PX // stride) ** 2 for stride in STRIDES_PX)
NUMBERS = 85
BESIDE = 114.0  # the grey that fills the rest of the input
SURE = 0.3  # DWPose's own threshold
OVERLAP = 0.45  # boxes that share more than this of their union are one person
_ANYTHING, _PERSON = 4, 5  # columns
_LARGEST_LOG = 8.0  # e^8 cells is past every picture, and no overflow


class PersonDetector:
    """Find everybody in every picture.

    Raises:   MissingExtraError, CheckpointError: see open_network
    """

    def __init__(self, network_path: str | Path) -> None:
        self._network = open_network(network_path, purpose="Person detection")
        self._network.require_input((3, INPUT_PX, INPUT_PX))

    @property
    def runs_on(self) -> str:
        """Say what runs the network."""
        return self._network.runs_on

    def detect(self, images_FYXC: np.ndarray, *, sure: float = SURE) -> list[np.ndarray]:
        """Find the boxes of all people, from left to right.

        Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB; result F x (N, 4), N differs and may be 0
        Units:    px, within the picture; sure 0..1, what a box must at least be given
        Raises:   CheckpointError: the network's output is not that of a YOLOX
        Source:   YOLOX (Ge et al. 2021), decoding and postprocessing; DWPose's thresholds
        """
        height, width = images_FYXC.shape[1:3]
        size = self._network.batch_size(4)
        found: list[np.ndarray] = []
        for start in range(0, len(images_FYXC), size):
            fitted_NCYX, scale = fit(images_FYXC[start : start + size])
            for raw_ND in self._run(fitted_NCYX):
                boxes_N4, score_N = decode(raw_ND)
                found.append(_people(boxes_N4 / scale, score_N, sure=sure, height=height, width=width))
        return found

    def _run(self, fitted_NCYX: np.ndarray) -> np.ndarray:
        outputs = self._network.run(fitted_NCYX)
        if outputs[0].shape[1:] != (CELLS, NUMBERS):
            raise CheckpointError(
                f"The network {self._network.path} gave an output of shape {list(outputs[0].shape)}, "
                f"[N, {CELLS}, {NUMBERS}] was expected; choose a YOLOX person detector such as yolox_l.onnx."
            )
        return outputs[0].astype(np.float32)


def poses_in_boxes(
    detector: FindsPoseInBoxes, images_FYXC: np.ndarray, boxes_of_frame: list[np.ndarray]
) -> list[Pose]:
    """Detect everybody who has a box; the poses are as many as the fullest frame has people.

    The first pose is the leftmost person of each frame, and so on. This is an order, not a track: whoever
    enters on the left moves the others up by one.

    Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB; boxes_of_frame F x (N, 4); each pose F frames
    Units:    px; a frame with fewer people is all zeros
    """
    height, width = images_FYXC.shape[1:3]
    people = []
    for place in range(max(map(len, boxes_of_frame), default=0)):
        frames = [frame for frame, boxes in enumerate(boxes_of_frame) if len(boxes) > place]
        boxes_F4 = np.stack([boxes_of_frame[frame][place] for frame in frames])
        packed_FKC = np.zeros((len(images_FYXC), PACKED_POINTS, 3), dtype=np.float32)
        packed_FKC[frames] = detector.detect(images_FYXC[frames], box=boxes_F4).packed_FKC()
        people.append(Pose.from_packed(packed_FKC, height=height, width=width))
    return people


def fit(images_FYXC: np.ndarray) -> tuple[np.ndarray, float]:
    """Scale pictures into the top left of the network's input, keeping their proportions.

    Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB; result (F, 3, 640, 640) float32 BGR, and its scale
    Units:    0..255
    """
    height, width = images_FYXC.shape[1:3]
    scale = min(INPUT_PX / height, INPUT_PX / width)
    high, wide = max(int(height * scale), 1), max(int(width * scale), 1)
    pictures_FCYX = torch.from_numpy(images_FYXC[..., ::-1].copy()).permute(0, 3, 1, 2).float()
    canvas = torch.full((len(images_FYXC), 3, INPUT_PX, INPUT_PX), BESIDE)
    canvas[..., :high, :wide] = interpolate(pictures_FCYX, size=(high, wide), mode="bilinear").round()
    return canvas.numpy(), scale


def decode(raw_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read boxes and how sure they hold a person.

    Shapes:   raw_ND (8400, 85); result (8400, 4) and (8400,)
    Units:    px of the network's input
    Source:   YOLOX: centre = (value + cell) x stride, size = exp(value) x stride
    """
    corners, strides = [], []
    for stride in STRIDES_PX:
        side = INPUT_PX // stride
        y, x = np.divmod(np.arange(side * side), side)
        corners.append(np.stack([x, y], axis=1))
        strides.append(np.full((side * side, 1), stride))
    stride_N1 = np.concatenate(strides).astype(np.float32)
    centre = (raw_ND[:, :2] + np.concatenate(corners)) * stride_N1
    half = np.exp(np.minimum(raw_ND[:, 2:_ANYTHING], _LARGEST_LOG)) * stride_N1 / 2
    return np.concatenate([centre - half, centre + half], axis=1), raw_ND[:, _ANYTHING] * raw_ND[:, _PERSON]


def surest(boxes_N4: np.ndarray, score_N: np.ndarray, *, overlap: float = OVERLAP) -> np.ndarray:
    """Choose boxes, the surest first, that overlap no chosen one by more than `overlap`; their indices.

    Source:   greedy non-maximum suppression, by intersection over union
    """
    areas = (boxes_N4[:, 2:] - boxes_N4[:, :2]).clip(min=0).prod(axis=1)
    left = np.argsort(-score_N, kind="stable")
    chosen = []
    while len(left):
        best, rest = left[0], left[1:]
        chosen.append(best)
        low = np.maximum(boxes_N4[best, :2], boxes_N4[rest, :2])
        high = np.minimum(boxes_N4[best, 2:], boxes_N4[rest, 2:])
        shared = (high - low).clip(min=0).prod(axis=1)
        union = areas[best] + areas[rest] - shared
        left = rest[shared <= overlap * union]
    return np.array(chosen, dtype=np.int64)


def _people(boxes_N4: np.ndarray, score_N: np.ndarray, *, sure: float, height: int, width: int) -> np.ndarray:
    keep = (score_N > sure) & np.isfinite(boxes_N4).all(axis=1)
    boxes_N4, score_N = boxes_N4[keep], score_N[keep]
    boxes_N4 = boxes_N4[surest(boxes_N4, score_N)].clip(0, [width, height, width, height])
    boxes_N4 = boxes_N4[((boxes_N4[:, 2:] - boxes_N4[:, :2]) >= 1).all(axis=1)]
    return boxes_N4[np.argsort(boxes_N4[:, ::2].sum(axis=1), kind="stable")].astype(np.float32)
