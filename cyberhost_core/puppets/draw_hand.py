"""Draw a hand: a palm and five thick fingers with a thin dark outline each, far ones first.

The outline keeps neighbouring fingers apart on a 96 pixel wide picture, on every skin tone; nails tell the
back of a hand from its palm, lines of the palm the other way round.
"""

import numpy as np

from ..hands.skeleton import Side
from .canvas import Canvas, hull
from .identity import Identity

FINGER_WIDTH, THUMB_WIDTH, OUTLINE = 3.4, 3.9, 0.75  # pixels of a 128 high picture
PALM_RADIUS = 2.0
HIDDEN_FROM = 3.5  # a finger bent this far to the far side is behind the palm
_CHAINS = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
_PALM = (0, 1, 5, 9, 13, 17)


def draw_hand(canvas: Canvas, identity: Identity, keypoints_K3: np.ndarray, *, side: Side) -> None:
    """Draw one hand.

    Shapes:   keypoints_K3 (21, 3) OpenPose order: x, y, depth
    Units:    pixels of a 128 high picture; depth grows towards the viewer
    """
    normal = _palm_normal(keypoints_K3, side=side)
    back = bool(normal[2] < 0)
    behind = _behind_palm(keypoints_K3, normal)
    far_first = np.argsort(keypoints_K3[np.array(_CHAINS)[:, 1:], 2].mean(axis=1))
    for finger in far_first[behind[far_first]]:
        _draw_finger(canvas, identity, keypoints_K3, finger=int(finger), back=back)
    _draw_palm(canvas, identity, keypoints_K3, back=back)
    for finger in far_first[~behind[far_first]]:
        _draw_finger(canvas, identity, keypoints_K3, finger=int(finger), back=back)


def _palm_normal(keypoints_K3: np.ndarray, *, side: Side) -> np.ndarray:
    """Point out of the palm: picture axes x, y (down), depth (to the viewer)."""
    index, pinky = keypoints_K3[5] - keypoints_K3[0], keypoints_K3[17] - keypoints_K3[0]
    normal = np.cross(index, pinky) * (1.0 if side == "left" else -1.0)
    return normal / max(float(np.linalg.norm(normal)), 1e-6)


def _behind_palm(keypoints_K3: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Tell which of the five fingers are bent to the palm's far side, so that the palm hides them.

    Mere depth would also hide straight fingers of a hand that leans back.
    """
    chains = keypoints_K3[np.array(_CHAINS)]
    bend = (chains[:, 1:].mean(axis=1) - chains[:, 0]) @ normal
    return bend * normal[2] < -HIDDEN_FROM


def _draw_palm(canvas: Canvas, identity: Identity, keypoints_K3: np.ndarray, *, back: bool) -> None:
    points = keypoints_K3[list(_PALM), :2]
    heel = keypoints_K3[0, :2] + 0.28 * (keypoints_K3[[5, 17], :2] - keypoints_K3[9, :2])
    cloud = np.concatenate([points, heel])
    canvas.fill(hull(cloud, radius=PALM_RADIUS + OUTLINE), identity.outline)
    canvas.fill(hull(cloud, radius=PALM_RADIUS), identity.skin)
    if not back:
        crease = 0.55 * keypoints_K3[[5, 9, 17], :2] + 0.45 * keypoints_K3[[1, 0, 0], :2]
        canvas.stroke(crease, identity.highlight, width=1.0)


def _draw_finger(
    canvas: Canvas, identity: Identity, keypoints_K3: np.ndarray, *, finger: int, back: bool
) -> None:
    joints = keypoints_K3[list(_CHAINS[finger]), :2]
    width = (THUMB_WIDTH if finger == 0 else FINGER_WIDTH) * identity.finger_size * identity.hand_size
    # The outline starts beyond the knuckle and the skin before it, so that the finger grows out of the palm
    # without a ring around its root.
    rim = np.concatenate([joints[:1] + 0.3 * (joints[1:2] - joints[:1]), joints[1:]])
    root = joints[:1] + 0.12 * (keypoints_K3[:1, :2] - joints[:1])
    canvas.stroke(rim, identity.outline, width=width + 2 * OUTLINE)
    canvas.stroke(np.concatenate([root, joints]), identity.skin, width=width)
    canvas.stroke(joints[1:], identity.highlight, width=0.9)
    if back:
        canvas.dot(joints[3], 0.8 * identity.hand_size, identity.highlight)
