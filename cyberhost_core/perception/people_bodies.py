"""Where bodies are in a picture and their 33 points, with two of MediaPipe's networks for people.

    square of the picture --pose_detection--> heads, each with the turned square of its body
    that square -----------pose_landmark----> 33 points, two that say where the square belongs, body or not

The first finds one or two people who fill its square, so several people need a box each.
"""

from collections.abc import Mapping

import numpy as np

from .anchors import anchors, corners, decode
from .graph_network import GraphNetwork
from .people_regions import crop, in_picture, region

RESULTS = {"pose_detection": (0, 1), "pose_landmark": (0, 1)}
STRIDES = (8, 16, 32, 32, 32)
ROOM = 1.25  # of a body's square, MediaPipe's own
PRESENT = 0.5  # MediaPipe's own
_HIP, _CIRCLE = 2, 3  # of what the first network gives, behind a box's centre and size
_HIP_AGAIN, _CIRCLE_AGAIN = 33, 34  # the same two among the second one's points


class Bodies:
    """Find bodies and their points.

    Points are (39, 3): x, y in px of the picture, and how likely visible and in it; 33 to 38 are helpers.
    """

    def __init__(self, networks: Mapping[str, GraphNetwork]) -> None:
        self._finder, self._marker = networks["pose_detection"], networks["pose_landmark"]
        self._anchors_N2 = anchors(self._finder.input_px, STRIDES)

    def in_box(
        self, image_YXC: np.ndarray, box_4: np.ndarray, *, padding: float, before_KC: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Points of the person whom a box is about; None: nobody is there.

        before_KC: the person's points in the frame before, who is looked for there where nothing is found
        """
        low, high = np.asarray(box_4[:2], dtype=np.float64), np.asarray(box_4[2:], dtype=np.float64)
        side = max(float((high - low).max() * padding), 1.0)
        squares_M4, heads_M4, sure_M = self._look(image_YXC, np.array([*((low + high) / 2), side, 0.0]))
        head_M2 = (heads_M4[:, :2] + heads_M4[:, 2:]) / 2
        inside_M = ((head_M2 >= low) & (head_M2 <= high)).all(axis=1)
        if inside_M.any():  # a body whose head is elsewhere is somebody else's
            return self._points(image_YXC, squares_M4[inside_M][np.argmax(sure_M[inside_M])])
        return None if before_KC is None else self._points(image_YXC, _square_again(before_KC))

    def _look(self, image_YXC: np.ndarray, where_4: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Look into one upright square; many finds may be of one person, the surest first.

        Shapes:   result: bodies' squares (M, 4) as regions, boxes of heads (M, 4) as corners, how sure (M,)
        """
        px = self._finder.input_px
        cut_YXC = crop(image_YXC, where_4, px=px, repeat_edge=False)
        raw, logits = self._finder.run(cut_YXC[None] * 2 - 1)
        found_MK2, sure_M = decode(raw[0], logits[0], self._anchors_N2)
        places_MK2 = in_picture(found_MK2.reshape(-1, 2), where_4, px=px).reshape(found_MK2.shape)
        places_MK2[:, 1] = found_MK2[:, 1] * where_4[2] / px  # a size, not a place
        squares = [body_region(one_K2[_HIP], one_K2[_CIRCLE]) for one_K2 in places_MK2]
        return np.array(squares).reshape(-1, 4), corners(places_MK2), sure_M

    def _points(self, image_YXC: np.ndarray, where_4: np.ndarray) -> np.ndarray | None:
        px = self._marker.input_px
        raw, present = self._marker.run(crop(image_YXC, where_4, px=px)[None])
        if present.item() < PRESENT:
            return None
        raw_KC = raw.reshape(
            -1, 5
        )  # x, y, depth, and the logits of being visible and of being in the picture
        score_K = logistic(raw_KC[:, 3:]).min(axis=1)
        return np.column_stack([in_picture(raw_KC[:, :2], where_4, px=px), score_K])


def _square_again(points_KC: np.ndarray) -> np.ndarray:
    return body_region(points_KC[_HIP_AGAIN, :2], points_KC[_CIRCLE_AGAIN, :2])


def body_region(hip_2: np.ndarray, circle_2: np.ndarray) -> np.ndarray:
    """The square of a body: its hips are the centre of a circle around it, a point of which is above.

    Source:   MediaPipe Pose: alignment points to a region
    """
    up_2 = circle_2 - hip_2
    return region(hip_2, up_2, float(2 * np.linalg.norm(up_2) * ROOM))


def logistic(x: np.ndarray) -> np.ndarray:
    """Logits as chances, 0..1, in float64."""
    return 1 / (1 + np.exp(-np.clip(x.astype(np.float64), -100, 100)))
