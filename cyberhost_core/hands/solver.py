"""Levenberg-Marquardt for many right hands at once: turn, place and bends that bring keypoints onto targets.

what is made small    distance to the targets, lightly for points far off (they may be misdetected)
                      bends against what is usual, end joints against their tendons, bends beyond the possible
"""

from dataclasses import dataclass

import numpy as np

from .joints import BENDS, COUPLED, COUPLED_SHARE, COUPLED_SPREAD_DEG, posture
from .rotations import axis_angles, rotation_matrices

_NOISE = 0.015  # hand lengths that points are usually off by: what usual bends are weighed against
_FAR_OFF = 3.0  # from this many times that on, a point counts less and less
_LIMIT_SPREAD = np.deg2rad(3.0)
_TURNS_DEG, _PITCHES_DEG = (0, 60, 120, 180, 240, 300), (-30, 30)  # of the starts
_UP_PALM_OUT = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
_MIDDLE_KNUCKLE = 9
_FIRST_DAMPING, _EASIER, _HARDER = 1e-2, 0.3, 4.0

_USUAL, _SPREAD = np.deg2rad(np.array([bend.usual for bend in BENDS])).T
_LOWEST, _HIGHEST = np.deg2rad(np.array([bend.possible for bend in BENDS])).T
_COUPLED = np.zeros((len(COUPLED), len(BENDS)))
for _row, ((_middle, _end), _share) in enumerate(zip(COUPLED, COUPLED_SHARE, strict=True)):
    _COUPLED[_row, [_middle, _end]] = np.array((-_share, 1.0)) / np.deg2rad(COUPLED_SPREAD_DEG)


@dataclass(frozen=True, eq=False)
class Attempts:
    """Hold N right hands and how badly each fits.

    Shapes:   wrist_N33 (N, 3, 3); place_N2 (N, 2); angles_NA (N, 20); cost_N (N,)
    Units:    places in hand lengths, y up; angles in radians
    """

    wrist_N33: np.ndarray
    place_N2: np.ndarray
    angles_NA: np.ndarray
    cost_N: np.ndarray

    def chosen(self, index: np.ndarray) -> "Attempts":
        """Keep some."""
        return Attempts(
            self.wrist_N33[index], self.place_N2[index], self.angles_NA[index], self.cost_N[index]
        )


def together(parts: list[Attempts]) -> Attempts:
    """Put attempts one after another."""
    return Attempts(
        *(np.concatenate(arrays) for arrays in zip(*(_arrays(part) for part in parts), strict=True))
    )


def starts(targets_FK2: np.ndarray) -> Attempts:
    """Turn a usual hand so that it points where the targets point, in twelve ways: 12 tries per frame."""
    way_F2 = targets_FK2[:, _MIDDLE_KNUCKLE] - targets_FK2[:, 0]
    lean_F = np.arctan2(way_F2[:, 1], way_F2[:, 0]) - np.pi / 2
    ways = [(turn, pitch) for turn in _TURNS_DEG for pitch in _PITCHES_DEG]
    turn_W, pitch_W = np.deg2rad(np.array(ways)).T
    own_W33 = _about(pitch_W, 0) @ _about(turn_W, 1) @ _UP_PALM_OUT
    wrist_FW33 = _about(lean_F, 2)[:, None] @ own_W33
    count = len(targets_FK2) * len(ways)
    return Attempts(
        wrist_FW33.reshape(count, 3, 3),
        np.repeat(targets_FK2[:, 0], len(ways), axis=0),
        np.tile(_USUAL, (count, 1)),
        np.full(count, np.inf),
    )


@dataclass(frozen=True, eq=False)
class Goal:
    """Hold what tries are to come to.

    Shapes:   targets_NK2 (N, 21, 2), y up; weights_NK (N, 21), 0 for points that are not seen; wrist_N33
              (N, 3, 3) and angles_NA (N, 20): what turns and bends are drawn to, as strongly as pull says
    Units:    targets in hand lengths; pull per squared radian, 0: not at all
    """

    targets_NK2: np.ndarray
    weights_NK: np.ndarray
    wrist_N33: np.ndarray
    angles_NA: np.ndarray
    pull: float


def solved(tries: Attempts, goal: Goal, *, steps: int) -> Attempts:
    """Improve all tries by a number of steps."""
    damping_N = np.full(len(tries.cost_N), _FIRST_DAMPING)
    slope, push, cost_N = _system(tries, goal)
    now = Attempts(tries.wrist_N33, tries.place_N2, tries.angles_NA, cost_N)
    for _ in range(steps):
        diagonal = np.einsum("nii->ni", slope)
        damped = slope + np.eye(slope.shape[-1]) * (damping_N[:, None] * diagonal + 1e-6)[:, None]
        step_ND = -np.linalg.solve(damped, push[..., None])[..., 0]
        after = Attempts(
            rotation_matrices(step_ND[:, :3]) @ now.wrist_N33,
            now.place_N2 + step_ND[:, 3:5],
            now.angles_NA + step_ND[:, 5:],
            now.cost_N,
        )
        new_slope, new_push, cost_N = _system(after, goal)
        better_N = cost_N < now.cost_N
        damping_N = np.clip(damping_N * np.where(better_N, _EASIER, _HARDER), 1e-6, 1e6)
        slope = np.where(better_N[:, None, None], new_slope, slope)
        push = np.where(better_N[:, None], new_push, push)
        now = Attempts(
            np.where(better_N[:, None, None], after.wrist_N33, now.wrist_N33),
            np.where(better_N[:, None], after.place_N2, now.place_N2),
            np.where(better_N[:, None], after.angles_NA, now.angles_NA),
            np.where(better_N, cost_N, now.cost_N),
        )
    return now


def _system(tries: Attempts, goal: Goal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linearise: J^T J (N, 25, 25), J^T r (N, 25) for turn, place, angles; and the cost (N,)."""
    slope, push, cost_N = _misplaced(tries, goal)
    beyond_NA = np.maximum(tries.angles_NA - _HIGHEST, 0) + np.minimum(tries.angles_NA - _LOWEST, 0)
    unusual_NA = (tries.angles_NA - _USUAL) / _SPREAD
    loose = tries.angles_NA @ _COUPLED.T
    away_NA = tries.angles_NA - goal.angles_NA
    away_N3 = axis_angles(tries.wrist_N33 @ goal.wrist_N33.swapaxes(1, 2))

    cost_N = cost_N + (unusual_NA**2).sum(1) + ((beyond_NA / _LIMIT_SPREAD) ** 2).sum(1) + (loose**2).sum(1)
    cost_N = cost_N + goal.pull * ((away_NA**2).sum(1) + (away_N3**2).sum(1))
    stiff_NA = 1 / _SPREAD**2 + (beyond_NA != 0) / _LIMIT_SPREAD**2 + goal.pull
    slope[:, 5:, 5:] += stiff_NA[:, :, None] * np.eye(len(BENDS)) + _COUPLED.T @ _COUPLED
    slope[:, :3, :3] += goal.pull * np.eye(3)
    push[:, 5:] += (
        unusual_NA / _SPREAD + beyond_NA / _LIMIT_SPREAD**2 + loose @ _COUPLED + goal.pull * away_NA
    )
    push[:, :3] += goal.pull * away_N3
    return slope, push, cost_N


def _misplaced(tries: Attempts, goal: Goal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linearise how far points are from their targets."""
    now = posture(tries.wrist_N33, tries.angles_NA)
    count, weights_NK = len(tries.cost_N), goal.weights_NK
    off_NK2 = (now.points_NK3[..., :2] + tries.place_N2[:, None] - goal.targets_NK2) / _NOISE
    far_NK = (off_NK2**2).sum(axis=-1) / _FAR_OFF**2
    cost_N = (weights_NK * _FAR_OFF**2 * np.log1p(far_NK)).sum(axis=1)
    root_NK = np.sqrt(weights_NK / (1 + far_NK))

    place = np.broadcast_to(np.eye(2), (count, off_NK2.shape[1], 2, 2))
    moves = np.concatenate([now.by_wrist_NK33[..., :2], place, now.by_angle_NKA3[..., :2]], axis=2)
    moves = moves.swapaxes(2, 3) * (root_NK / _NOISE)[..., None, None]
    moves = moves.reshape(count, -1, moves.shape[-1])
    rest = (off_NK2 * root_NK[..., None]).reshape(count, -1)
    return moves.swapaxes(1, 2) @ moves, (moves.swapaxes(1, 2) @ rest[..., None])[..., 0], cost_N


def _arrays(tries: Attempts) -> tuple[np.ndarray, ...]:
    return tries.wrist_N33, tries.place_N2, tries.angles_NA, tries.cost_N


def _about(angle_N: np.ndarray, axis: int) -> np.ndarray:
    return rotation_matrices(angle_N[:, None] * np.eye(3)[axis])
