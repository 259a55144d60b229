"""Turns as axis-angle vectors and as matrices."""

import numpy as np

from . import quaternions


def rotation_matrices(axis_angle: np.ndarray) -> np.ndarray:
    """Turn axis-angle vectors (..., 3) into matrices (..., 3, 3) by Rodrigues' formula."""
    angle = np.linalg.norm(axis_angle, axis=-1)[..., None, None]
    axis = axis_angle / np.maximum(angle[..., 0], 1e-12)
    x, y, z = np.moveaxis(axis, -1, 0)
    none = np.zeros_like(x)
    cross = np.stack([none, -z, y, z, none, -x, -y, x, none], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)


def axis_angles(matrices: np.ndarray) -> np.ndarray:
    """Turn matrices (..., 3, 3) into axis-angle vectors (..., 3) with an angle of 0 to pi."""
    return quaternions.to_axis_angles(quaternions.from_matrices(matrices))


def unwrapped(axis_angle_F3: np.ndarray) -> np.ndarray:
    """Choose of two equal vectors the one nearer to the frame before, so that a track (F, 3) has no jumps."""
    result = np.array(axis_angle_F3)
    for frame in range(1, len(result)):
        angle = np.linalg.norm(result[frame])
        if angle > 1e-6:
            other = result[frame] * (1.0 - 2.0 * np.pi / angle)
            before = result[frame - 1]
            if np.linalg.norm(other - before) < np.linalg.norm(result[frame] - before):
                result[frame] = other
    return result
