"""Forward kinematics: the turns of 16 joints to the places of joints, tips and keypoints.

    rotations (16, 3) axis-angle --Rodrigues--> 16 matrices --chain along PARENTS--> 16 joints + 5 tips -->
    21 keypoints --camera--> pixels

The camera is orthographic: a hand keeps its size wherever it is, and depth only tells what is in front.
"""

import numpy as np

from .rotations import rotation_matrices
from .skeleton import JOINTS, OPENPOSE, PARENTS, TIP_PARENTS, Side, rest_offsets


def hand_keypoints(rotations_FJ3: np.ndarray, *, side: Side) -> np.ndarray:
    """Pose the skeleton and read off its keypoints.

    Shapes:   rotations_FJ3 (F, 16, 3) axis-angle; result (F, 21, 3) in OpenPose order, relative to the wrist
    Units:    lengths of the hand (1 = wrist to middle finger tip at rest); x right, y up, z to the viewer
    """
    _, placed = joint_frames(rotation_matrices(rotations_FJ3), rest_offsets(side))
    return placed[:, OPENPOSE]


def joint_frames(local_FJ33: np.ndarray, offsets_P3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chain the joints' own turns along the bones.

    Shapes:   local_FJ33 (F, 16, 3, 3); offsets_P3 (21, 3) as rest_offsets gives them; result: the joints'
              turns (F, 16, 3, 3) and the places (F, 21, 3) of joints and tips, the wrist at 0
    Units:    those of the offsets
    Source:   MANO eq. 2-4 without the mesh: G_j = G_parent(j) [R_j | offset_j]
    """
    frames = len(local_FJ33)
    turned, placed = np.empty((frames, JOINTS, 3, 3)), np.zeros((frames, len(offsets_P3), 3))
    turned[:, 0] = local_FJ33[:, 0]
    for joint in range(1, JOINTS):
        parent = PARENTS[joint]
        placed[:, joint] = placed[:, parent] + turned[:, parent] @ offsets_P3[joint]
        turned[:, joint] = turned[:, parent] @ local_FJ33[:, joint]
    for tip, last in enumerate(TIP_PARENTS, start=JOINTS):
        placed[:, tip] = placed[:, last] + turned[:, last] @ offsets_P3[tip]
    return turned, placed


def in_picture(
    points_FK3: np.ndarray,
    translations_F3: np.ndarray,
    *,
    size_frac: float | np.ndarray,
    height: int,
    width: int,
) -> np.ndarray:
    """Move points of a hand into the picture, orthographically, depth kept as third column.

    Shapes:   points_FK3 (F, K, 3) relative to the wrist; translations_F3 (F, 3); size_frac one or (F, 1, 1);
              result (F, K, 3): x, y, depth
    Units:    points: hand lengths, y up; translations: fractions of width, height and height, y down; result:
              px, depth grows towards the viewer. size_frac: hand length as a fraction of the picture's height
    """
    return points_FK3 * (size_frac * height) * (1.0, -1.0, 1.0) + translations_F3[:, None] * (
        width,
        height,
        height,
    )
