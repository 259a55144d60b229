"""Whole-body pose of people, with MediaPipe's networks in one file (see mediapipe_files).

    picture --pose_detection--> a turned square about the body --pose_landmark--> 33 points and two that say
      where the square belongs --+-- eyes and mouth ---------> square --face_landmark--> 468 points -> 68
                                 +-- wrist, index, pinky ----> square --hand_landmark--> 21 points, two hands
                                       no hand there? palm_detection looks around it

Hands and faces are looked at twice: the first look's own points say where the second belongs. A person whom
the first network does not find is looked for where the frame before had one.
"""

from pathlib import Path

import numpy as np

from ..types import FACE_POINTS, HAND_POINTS, PACKED_POINTS, SEEN, Pose
from . import people_points as at
from .anchors import anchors, decode
from .graph_network import GraphNetwork
from .people_bodies import PRESENT, Bodies, logistic
from .people_bodies import RESULTS as OF_BODIES
from .people_file import load_people_networks
from .people_regions import around, crop, in_picture, region, shifted

PALM_STRIDES = (8, 16, 16, 16)
PADDING = 1.0  # the first network sees a square picture, with black beside it, however it is framed
RESULTS = {
    **OF_BODIES,
    "palm_detection": (0, 1),
    "hand_landmark": (0, 1),
    "face_landmark": (0, 1),
}
_FACE_ROOM = 1.5  # MediaPipe's own, as are the numbers of hands and palms below
_PALM_WRIST, _PALM_MIDDLE = 2, 4  # of what palm_detection gives
_STEADY = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]  # wrist, thumb and the lower joints of the fingers
_HANDS = (
    (at.LEFT_WRIST, at.LEFT_INDEX, at.LEFT_PINKY),
    (at.RIGHT_WRIST, at.RIGHT_INDEX, at.RIGHT_PINKY),
)


class PeopleDetector:
    """Find body, face and hands of one person in every picture; used as PoseDetector is.

    Raises:   CheckpointError: see load_people_networks
    """

    def __init__(self, path: str | Path) -> None:
        networks = load_people_networks(path, RESULTS)
        self._bodies = Bodies(networks)
        self._hands = _Hands(networks["hand_landmark"], networks["palm_detection"])
        self._face = networks["face_landmark"]

    @property
    def runs_on(self) -> str:
        """Say what runs the networks."""
        return "torch, CPU"

    def detect(
        self, images_FYXC: np.ndarray, *, box: np.ndarray | None = None, padding: float = PADDING
    ) -> Pose:
        """Detect the person inside a box.

        Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB, or one picture (Y, X, 3);
                  box (4,) for all pictures or (F, 4), x0, y0, x1, y1; without one, the whole picture
        Units:    box in px; padding widens it. Scores: of body points, how likely visible and in the picture;
                  of hands and face, one for all their points; 0 outside the picture
        Source:   MediaPipe's Pose, Hands and Face Mesh: cuts, thresholds and the order of the networks
        Departs:  no filters over time and no refinement by heatmaps; the square of a hand comes from the body
                  and the hand's own first points, where MediaPipe has a network for it
        """
        images = images_FYXC[None] if images_FYXC.ndim == 3 else images_FYXC
        height, width = images.shape[1:3]
        boxes_F4 = np.broadcast_to(np.array([0, 0, width, height]) if box is None else box, (len(images), 4))
        packed_FKC = np.zeros((len(images), PACKED_POINTS, 3), dtype=np.float32)
        body_KC = None
        for frame, (image_YXC, box_4) in enumerate(zip(images, boxes_F4, strict=True)):
            body_KC = self._bodies.in_box(image_YXC, box_4, padding=padding, before_KC=body_KC)
            if body_KC is not None:
                packed_FKC[frame] = self._whole(image_YXC, body_KC)
        return _pose(packed_FKC, height=height, width=width)

    def _whole(self, image_YXC: np.ndarray, body_KC: np.ndarray) -> np.ndarray:
        face_KC = self._face_points(image_YXC, body_KC)
        hands = [self._hands.points(image_YXC, body_KC[list(places)]) for places in _HANDS]
        return np.concatenate([at.openpose_body(body_KC), face_KC, *hands])

    def _face_points(self, image_YXC: np.ndarray, body_KC: np.ndarray) -> np.ndarray:
        eyes_2 = body_KC[[at.LEFT_EYE, at.RIGHT_EYE], :2].mean(axis=0)
        mouth_2 = body_KC[[at.MOUTH_LEFT, at.MOUTH_RIGHT], :2].mean(axis=0)
        across = np.linalg.norm(body_KC[at.LEFT_EYE, :2] - body_KC[at.RIGHT_EYE, :2])
        face = np.zeros((FACE_POINTS, 3))
        up_2 = eyes_2 - mouth_2
        side = 4 * max(
            np.linalg.norm(up_2), across
        )  # a face is some 2.7 as high as its eyes are above its mouth
        if body_KC[[at.LEFT_EYE, at.RIGHT_EYE], 2].max() < SEEN or side < 1:
            return face
        where_4 = region(eyes_2 - 0.45 * up_2, up_2, float(side))
        px = self._face.input_px
        for _ in range(2):
            raw, logit = self._face.run(crop(image_YXC, where_4, px=px)[None])
            mesh_K2 = in_picture(raw.reshape(-1, 3)[:, :2], where_4, px=px)
            face = np.column_stack([mesh_K2[at.FACE_68], np.full(FACE_POINTS, logistic(logit).item())])
            x, y = mesh_K2[at.LEFT_CORNER] - mesh_K2[at.RIGHT_CORNER]
            where_4 = shifted(around(mesh_K2, np.array([y, -x])), scale=_FACE_ROOM)
        return face


class _Hands:
    """Find a hand's points from where the body has wrist, index and little finger."""

    def __init__(self, network: GraphNetwork, palms: GraphNetwork) -> None:
        self._network, self._palms = network, palms
        self._anchors_N2 = anchors(palms.input_px, PALM_STRIDES)

    def points(self, image_YXC: np.ndarray, arm_KC: np.ndarray) -> np.ndarray:
        """Points (21, 3) x, y, score of one hand; all zeros where the wrist is not seen.

        Shapes:   arm_KC (3, 3): wrist, lowest joint of the index, of the little finger
        """
        where_4 = hand_region(arm_KC[:, :2])
        if arm_KC[0, 2] < SEEN or where_4[2] < 1:
            return np.zeros((HAND_POINTS, 3))
        found_KC = self._twice(image_YXC, where_4)
        if found_KC[0, 2] < PRESENT:
            palm_4 = self._palm(image_YXC, where_4)
            again_KC = found_KC if palm_4 is None else self._twice(image_YXC, palm_4)
            found_KC = max(found_KC, again_KC, key=lambda points_KC: points_KC[0, 2])
        return found_KC

    def _twice(self, image_YXC: np.ndarray, where_4: np.ndarray) -> np.ndarray:
        first_KC = self._look(image_YXC, where_4)
        second_KC = self._look(image_YXC, tightened_hand(first_KC[:, :2]))
        return max(second_KC, first_KC, key=lambda points_KC: points_KC[0, 2])

    def _look(self, image_YXC: np.ndarray, where_4: np.ndarray) -> np.ndarray:
        px = self._network.input_px
        raw, present = self._network.run(crop(image_YXC, where_4, px=px)[None])
        places_K2 = in_picture(raw.reshape(-1, 3)[:, :2], where_4, px=px)
        return np.column_stack([places_K2, np.full(HAND_POINTS, present.item())])

    def _palm(self, image_YXC: np.ndarray, where_4: np.ndarray) -> np.ndarray | None:
        """The square of the surest palm near a place."""
        near_4 = np.array([*where_4[:2], where_4[2] * 1.5, 0.0])
        px = self._palms.input_px
        raw, logits = self._palms.run(crop(image_YXC, near_4, px=px, repeat_edge=False)[None])
        found_MK2, _ = decode(raw[0], logits[0], self._anchors_N2)
        if not len(found_MK2):
            return None
        places_K2 = in_picture(found_MK2[0], near_4, px=px)
        side = float(found_MK2[0, 1].max() * near_4[2] / px)
        up_2 = places_K2[_PALM_MIDDLE] - places_K2[_PALM_WRIST]
        return shifted(shifted(region(places_K2[0], up_2, side), up=0.5), scale=2.6)


def hand_region(arm_K2: np.ndarray) -> np.ndarray:
    """The square of a hand from wrist, index and little finger.

    Source:   MediaPipe Holistic: hand region from pose
    """
    wrist_2, index_2, pinky_2 = arm_K2
    middle_2 = (2 * index_2 + pinky_2) / 3
    up_2 = middle_2 - wrist_2
    return shifted(shifted(region(middle_2, up_2, float(2 * np.linalg.norm(up_2))), up=0.1), scale=2.7)


def tightened_hand(points_K2: np.ndarray) -> np.ndarray:
    """The square of a hand from its own points.

    Source:   MediaPipe Hands: landmarks to region
    """
    knuckles_2 = (points_K2[[5, 13]].mean(axis=0) + points_K2[9]) / 2
    tight_4 = around(points_K2[_STEADY], knuckles_2 - points_K2[0])
    return shifted(shifted(tight_4, up=0.1), scale=2.0)


def _pose(packed_FKC: np.ndarray, *, height: int, width: int) -> Pose:
    """Give no score to what lies outside the picture, and count places from pixels' centres."""
    places_FK2, score_FK = packed_FKC[..., :2], packed_FKC[..., 2]
    inside_FK = ((places_FK2 >= 0) & (places_FK2 <= (width, height))).all(axis=-1)
    found_FK1 = packed_FKC.any(axis=-1, keepdims=True)
    result_FKC = np.concatenate([places_FK2 - 0.5 * found_FK1, (score_FK * inside_FK)[..., None]], axis=-1)
    return Pose.from_packed(result_FKC.astype(np.float32), height=height, width=width)
