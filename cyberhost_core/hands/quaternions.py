"""Unit quaternions (w, x, y, z), last axis 4: to and from other notations, continuous over time, mixed.

q and -q are the same turn. Over time we keep the sign that is nearer to the frame before, so that a network
sees no jump where there is no movement; the first frame takes the sign nearer to a pivot of the joint.
"""

import numpy as np

IDENTITY = np.array((1.0, 0.0, 0.0, 0.0))
_STRAIGHT = 1.0 - 1e-6  # quaternions this near to each other are mixed without the sine, which would vanish


def from_axis_angles(vectors: np.ndarray) -> np.ndarray:
    """Turn axis-angle vectors (..., 3) into quaternions (..., 4); an angle up to pi gives w >= 0."""
    half = 0.5 * np.linalg.norm(vectors, axis=-1, keepdims=True)
    # sin(half) / angle = sinc / 2, which stays finite for an angle of 0
    return np.concatenate([np.cos(half), vectors * (0.5 * np.sinc(half / np.pi))], axis=-1)


def to_axis_angles(quaternions: np.ndarray) -> np.ndarray:
    """Turn quaternions (..., 4) into axis-angle vectors (..., 3).

    Units:    radians; 0..pi where w >= 0, pi..2 pi where w < 0, so that continuous quaternions give
              continuous vectors
    """
    sine = np.linalg.norm(quaternions[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternions[..., :1])
    return quaternions[..., 1:] * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 2.0)


def from_matrices(matrices: np.ndarray) -> np.ndarray:
    """Turn matrices (..., 3, 3) into quaternions (..., 4) with w >= 0.

    Goes through the largest component, because the formula with the trace loses the axis near half a turn.
    """
    m = matrices
    diagonal = np.stack([m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    w, x, y, z = 1 + diagonal.sum(-1), *(1 + 2 * diagonal[..., i] - diagonal.sum(-1) for i in range(3))
    yz, xz, xy = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    a, b, c = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = np.stack([w, yz, xz, xy, yz, x, a, b, xz, a, y, c, xy, b, c, z], axis=-1).reshape(*w.shape, 4, 4)
    largest = np.argmax(np.stack([w, x, y, z], axis=-1), axis=-1)
    quaternion = np.take_along_axis(rows, largest[..., None, None], axis=-2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def to_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Turn unit quaternions (..., 4) into matrices (..., 3, 3)."""
    w, x, y, z = np.moveaxis(quaternions, -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(*quaternions.shape[:-1], 3, 3)


def normalised(quaternions: np.ndarray) -> np.ndarray:
    """Bring quaternions (..., 4) to length 1; one of length 0 says nothing and becomes no turn at all."""
    length = np.linalg.norm(quaternions, axis=-1, keepdims=True)
    return np.where(length > 1e-9, quaternions / np.maximum(length, 1e-9), IDENTITY)


def continuous(quaternions_F: np.ndarray, *, pivot: np.ndarray = IDENTITY) -> np.ndarray:
    """Choose signs (F, ..., 4) so that no frame is further than a quarter circle from the one before.

    Shapes:   pivot (..., 4) decides on the first frame; no turn at all, the default, gives it w >= 0
    Source:   EMO2 section 4.1: quaternions "to eliminate the ambiguity in rotation"; the sign is what is left
    """
    dots_F = (quaternions_F[1:] * quaternions_F[:-1]).sum(axis=-1, keepdims=True)
    first = np.where((quaternions_F[:1] * pivot).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
    signs_F = np.cumprod(np.concatenate([first, np.where(dots_F < 0, -1.0, 1.0)]), axis=0)
    return (quaternions_F * signs_F).astype(quaternions_F.dtype)


def slerp(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Go a share of the shorter way from one quaternion to another at an even speed.

    Shapes:   first, second (..., 4); share broadcast against (..., 1)
    Units:    share 0 gives first, 1 gives second
    """
    cosine = (first * second).sum(axis=-1, keepdims=True)
    second = np.where(cosine < 0, -second, second)
    cosine = np.clip(np.abs(cosine), 0.0, 1.0)
    angle = np.arccos(cosine)
    sine = np.where(cosine > _STRAIGHT, 1.0, np.sin(angle))
    before = np.where(cosine > _STRAIGHT, 1.0 - share, np.sin((1.0 - share) * angle) / sine)
    after = np.where(cosine > _STRAIGHT, share, np.sin(share * angle) / sine)
    return normalised(before * first + after * second)
