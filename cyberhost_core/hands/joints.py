"""How a hand can bend: 20 angles, where each turns, and what is usual and what is possible (right hand).

finger  knuckle to the side, knuckle, middle joint, end joint        x 4      thumb  two at its root, two more
angles --matrices_of--> the joints' own turns        world axes of the angles --> how every point moves
"""

from dataclasses import dataclass

import numpy as np

from .kinematics import joint_frames
from .rotations import rotation_matrices
from .skeleton import JOINTS, OPENPOSE, PARENTS, TIP_PARENTS, rest_offsets

_X, _Y, _Z = 0, 1, 2


@dataclass(frozen=True)
class Bend:
    """Describe one angle.

    Units:    degrees; usual: middle and spread of a gesturing hand; possible: lowest and highest
    """

    joint: int
    axis: int
    usual: tuple[float, float]
    possible: tuple[float, float]


def _finger(first: int) -> tuple[Bend, ...]:
    return (
        Bend(first, _Y, (0.0, 10.0), (-25.0, 25.0)),
        Bend(first, _Z, (20.0, 35.0), (-20.0, 95.0)),
        Bend(first + 1, _Z, (25.0, 40.0), (-5.0, 115.0)),
        Bend(first + 2, _Z, (16.0, 30.0), (-10.0, 85.0)),
    )


# Within a joint the turns apply in this order, the first outermost.
BENDS = (
    *_finger(1), *_finger(4), *_finger(7), *_finger(10),
    Bend(13, _Y, (-8.0, 20.0), (-50.0, 30.0)), Bend(13, _X, (10.0, 20.0), (-15.0, 60.0)),
    Bend(14, _Y, (-10.0, 20.0), (-60.0, 20.0)), Bend(15, _Y, (-10.0, 20.0), (-60.0, 25.0)),
)  # fmt: skip
# A tendon bends the end joint of a finger with its middle joint: end = SHARE x middle.
COUPLED = (*((4 * finger + 2, 4 * finger + 3) for finger in range(4)), (18, 19))
COUPLED_SHARE = (0.65, 0.65, 0.65, 0.65, 0.85)
COUPLED_SPREAD_DEG = 8.0

# [point, joint]: does the point hang on the joint?
_ABOVE = np.zeros((JOINTS + len(TIP_PARENTS), JOINTS), dtype=bool)
for _point in range(len(_ABOVE)):
    _joint = _point if _point < JOINTS else TIP_PARENTS[_point - JOINTS]
    while _joint >= 0:
        _ABOVE[_point, _joint] = True
        _joint = PARENTS[_joint]
MOVES_KA = _ABOVE[list(OPENPOSE)][:, [bend.joint for bend in BENDS]]  # keypoint k moves with angle a


@dataclass(frozen=True, eq=False)
class Posture:
    """Hold posed hands and how their keypoints move with each angle.

    Shapes:   points_NK3 (N, 21, 3); by_angle_NKA3 (N, 21, 20, 3); by_wrist_NK33 (N, 21, 3, 3): per turn of
              the whole hand about x, y, z
    Units:    hand lengths, per radian
    """

    points_NK3: np.ndarray
    by_angle_NKA3: np.ndarray
    by_wrist_NK33: np.ndarray


def matrices_of(wrist_N33: np.ndarray, angles_NA: np.ndarray) -> np.ndarray:
    """Build the joints' own turns (N, 16, 3, 3) from the wrist's and the angles in radians."""
    matrices = np.tile(np.eye(3), (len(angles_NA), JOINTS, 1, 1))
    matrices[:, 0] = wrist_N33
    for angle_N, bend in zip(angles_NA.T, BENDS, strict=True):
        matrices[:, bend.joint] = matrices[:, bend.joint] @ _about(angle_N, bend.axis)
    return matrices


def posture(wrist_N33: np.ndarray, angles_NA: np.ndarray) -> Posture:
    """Pose right hands, with derivatives: a point turns about an axis by axis x (point - joint)."""
    turned, placed = joint_frames(matrices_of(wrist_N33, angles_NA), rest_offsets("right"))
    points = placed[:, OPENPOSE]
    axes, origins = _world_axes(turned, placed, angles_NA)
    arms = points[:, :, None] - origins[:, None]
    by_angle = np.cross(axes[:, None], arms) * MOVES_KA[..., None]
    by_wrist = np.cross(np.eye(3)[None, None], points[:, :, None])
    return Posture(points, by_angle, by_wrist)


def _world_axes(
    turned: np.ndarray, placed: np.ndarray, angles_NA: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find each angle's axis (N, A, 3) in the picture and the place (N, A, 3) of its joint."""
    axes, before = [], {}
    for number, bend in enumerate(BENDS):
        frame = before.get(bend.joint, turned[:, PARENTS[bend.joint]])
        axes.append(frame[..., bend.axis])
        before[bend.joint] = frame @ _about(angles_NA[:, number], bend.axis)
    return np.stack(axes, axis=1), placed[:, [bend.joint for bend in BENDS]]


def _about(angle_N: np.ndarray, axis: int) -> np.ndarray:
    return rotation_matrices(angle_N[:, None] * np.eye(3)[axis])
