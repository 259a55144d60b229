"""Whole-body pose with a DWPose-like network (dw-ll_ucoco_384.onnx or a twin of the same signature).

    picture --box, 288 x 384 warp, mean/std--> [N, 3, 384, 288] --network--> simcc_x [N, 133, 576]
                                                                             simcc_y [N, 133, 768]
            <--crop to picture---------------- position = argmax / 2, score = the lower of both peaks

Pictures go in as RGB, which is also the order of the means. (Public ports disagree: some feed BGR to them.)
"""

from pathlib import Path

import numpy as np

from ..errors import CheckpointError, PoseError
from ..types import SEEN, THORAX, Pose
from .network import open_network
from .signatures import BINS_PER_PX, INPUT_HEIGHT, INPUT_WIDTH
from .warp import warp
from .wholebody import WHOLEBODY_POINTS, pose_from_wholebody

BOX_PADDING = 1.25
MEAN_RGB = np.array([123.675, 116.28, 103.53], dtype=np.float32)
STD_RGB = np.array([58.395, 57.12, 57.375], dtype=np.float32)

UPPER_BODY = slice(0, 8)  # nose, neck, shoulders, elbows, wrists: what a half-body picture shows
_BATCH = 8  # pictures per run of the network, so that memory does not grow with the clip


class PoseDetector:
    """Find the 128 points of one person in every picture.

    Raises:   MissingExtraError, CheckpointError: see open_network
    """

    def __init__(self, network_path: str | Path) -> None:
        self._network = open_network(network_path, purpose="Pose detection")
        self._network.require_input((3, INPUT_HEIGHT, INPUT_WIDTH))

    @property
    def runs_on(self) -> str:
        """Say what runs the network."""
        return self._network.runs_on

    def detect(
        self, images_FYXC: np.ndarray, *, box: np.ndarray | None = None, padding: float = BOX_PADDING
    ) -> Pose:
        """Detect the person inside a box.

        Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB, or one picture (Y, X, 3);
                  box (4,) for all pictures or (F, 4), x0, y0, x1, y1; without one, the whole picture
        Units:    box in px; padding widens the box: 1.25 as in training, 1.0 for pictures framed already
        Raises:   CheckpointError: the network's outputs are not those of a DWPose-like one
        Source:   DWPose / RTMPose inference
        """
        images = images_FYXC[None] if images_FYXC.ndim == 3 else images_FYXC
        height, width = images.shape[1:3]
        whole = np.array([0, 0, width, height], dtype=np.float32)
        boxes_F4 = np.broadcast_to(whole if box is None else box, (len(images), 4))
        places_F23 = image_from_crop(boxes_F4, padding=padding)
        size = self._network.batch_size(_BATCH)
        batches = [slice(start, start + size) for start in range(0, len(images), size)]
        points = [self._points(images[batch], places_F23[batch]) for batch in batches]
        return pose_from_wholebody(np.concatenate(points), height=height, width=width)

    def _points(self, images_NYXC: np.ndarray, places_N23: np.ndarray) -> np.ndarray:
        crops_NCHW = warp(images_NYXC, places_N23, height=INPUT_HEIGHT, width=INPUT_WIDTH).numpy()
        normal = (crops_NCHW - MEAN_RGB[:, None, None]) / STD_RGB[:, None, None]
        simcc = {output.shape[-1]: output for output in self._network.run(normal)}
        self._check(simcc)
        in_crop_NKC = decode(simcc[INPUT_WIDTH * BINS_PER_PX], simcc[INPUT_HEIGHT * BINS_PER_PX])
        moved = (
            np.einsum("nij,nkj->nki", places_N23[:, :, :2], in_crop_NKC[..., :2]) + places_N23[:, None, :, 2]
        )
        return np.concatenate([moved, in_crop_NKC[..., 2:]], axis=-1)

    def _check(self, simcc: dict[int, np.ndarray]) -> None:
        for bins in (INPUT_WIDTH * BINS_PER_PX, INPUT_HEIGHT * BINS_PER_PX):
            if bins not in simcc or simcc[bins].shape[1] != WHOLEBODY_POINTS:
                found = [list(output.shape) for output in simcc.values()]
                raise CheckpointError(
                    f"The network {self._network.path} gave outputs of shape {found}, "
                    f"[N, {WHOLEBODY_POINTS}, {bins}] was expected among them; choose a whole-body DWPose "
                    "file such as dw-ll_ucoco_384.onnx."
                )


def require_person(pose: Pose) -> Pose:
    """Pass a pose on when some frame shows a person: the thorax and half of the upper body.

    Raises:   PoseError: no frame does
    """
    seen_FK = pose.body_FKC[:, UPPER_BODY, 2] >= SEEN
    present_F = seen_FK[:, THORAX] & (seen_FK.mean(axis=1) >= 0.5)
    if not present_F.any():
        best = int(seen_FK.sum(axis=1).max(initial=0))
        raise PoseError(
            f"No person was found: the best frame shows {best} of {seen_FK.shape[1]} points of the upper "
            "body, both shoulders and half of the points were expected; use a picture of one person from the "
            "front with head, shoulders and arms in view. The bundled detector finds drawn puppets only; for "
            "photographs, choose a DWPose file such as dw-ll_ucoco_384.onnx, or make a people detector with "
            "'cyberhost convert people-detector'."
        )
    return pose


def image_from_crop(boxes_F4: np.ndarray, *, padding: float) -> np.ndarray:
    """Map the network's input to the picture: boxes are padded, then widened to 288 : 384.

    Shapes:   boxes_F4 (F, 4); result (F, 2, 3) float64
    Units:    px
    """
    low, high = boxes_F4[:, :2].astype(np.float64), boxes_F4[:, 2:].astype(np.float64)
    centre, size = (low + high) / 2, (high - low) * padding
    width = np.maximum(size[:, 0], size[:, 1] * INPUT_WIDTH / INPUT_HEIGHT)
    scale = width / INPUT_WIDTH  # equal on both axes, since the aspect is fixed
    matrix_F23 = np.zeros((len(boxes_F4), 2, 3))
    matrix_F23[:, 0, 0] = matrix_F23[:, 1, 1] = scale
    matrix_F23[:, :, 2] = centre - scale[:, None] * np.array([INPUT_WIDTH, INPUT_HEIGHT]) / 2
    return matrix_F23


def decode(simcc_x_NKB: np.ndarray, simcc_y_NKB: np.ndarray) -> np.ndarray:
    """Read points off the two 1-D heatmaps of every keypoint.

    Shapes:   simcc_x_NKB (N, K, 576), simcc_y_NKB (N, K, 768); result (N, K, 3) x, y, score
    Units:    px of the network's input; score 0..1
    Source:   RTMPose's SimCC decoding
    """
    x = simcc_x_NKB.argmax(axis=-1) / BINS_PER_PX
    y = simcc_y_NKB.argmax(axis=-1) / BINS_PER_PX
    score = np.minimum(simcc_x_NKB.max(axis=-1), simcc_y_NKB.max(axis=-1))
    return np.stack([x, y, np.clip(score, 0, 1)], axis=-1)
