"""Cut hand motion into windows for the gesture features.

(F, 134) hand parameters -> rotations as 6 numbers, which a quaternion's sign does not change -> (F, 198)
-> windows of 32 frames, one every 8
"""

from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError

VECTOR = 134  # 2 hands x (16 quaternions x 4 + 3 of translation)
INPUTS = 198  # 2 hands x (16 rotations x 6 + 3 of translation)
WINDOW_EVERY = 8


def motion_windows(motions: Sequence[np.ndarray], *, window: int) -> np.ndarray:
    """Cut motions into overlapping windows, without those in which a hand is missing (NaN).

    Shapes:   motions: (F, 134) each; result (N, window, 198) float32
    """
    windows = [np.zeros((0, window, INPUTS), dtype=np.float32)]
    for vectors_FD in motions:
        inputs_FC = rotation_inputs(vectors_FD)
        if len(inputs_FC) >= window:
            view = np.lib.stride_tricks.sliding_window_view(inputs_FC, window, axis=0)[::WINDOW_EVERY]
            windows.append(view.transpose(0, 2, 1))
    cut_NFC = np.concatenate(windows)
    return cut_NFC[np.isfinite(cut_NFC).all(axis=(1, 2))]


def rotation_inputs(vectors_FD: np.ndarray) -> np.ndarray:
    """Write each quaternion as the first two columns of its rotation matrix, so that q and -q are the same.

    Shapes:   vectors_FD (F, 134): per hand 16 quaternions w, x, y, z and a translation; result (F, 198)
              float32
    Raises:   ConfigError: another shape
    """
    vectors = np.asarray(vectors_FD, dtype=np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != VECTOR:
        raise ConfigError(
            f"A motion came as an array of shape {vectors.shape}, but hand parameters of (frames, {VECTOR}) "
            "were expected; make them from joint rotations and translations first."
        )
    hands_FHP = vectors.reshape(len(vectors), 2, -1)
    quaternions = hands_FHP[..., :64].reshape(len(vectors), 2, 16, 4)
    length = np.linalg.norm(quaternions, axis=-1, keepdims=True)
    w, x, y, z = np.moveaxis(quaternions / np.where(length > 0, length, np.nan), -1, 0)
    columns = [
        1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y),
        2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x),
    ]  # fmt: skip
    rotations = np.stack(columns, axis=-1).reshape(len(vectors), 2, 96)
    inputs = np.concatenate([rotations, hands_FHP[..., 64:]], axis=-1)
    return inputs.reshape(len(vectors), INPUTS).astype(np.float32)
