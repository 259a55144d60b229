"""FGD: how far is the distribution of generated motion from that of true motion?

    motions --gesture_features--> a vector per window --> mean and covariance --+
    true motions ------------------------------------------------------------- +--> Frechet distance

The features belong to the network that makes them: only numbers from the same network file, and from about as
many windows, can be held against each other (few windows make the distance larger).
"""

from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError
from .gesture_features import GestureFeatures, motion_features

LEAST_SAMPLES_PER_FEATURE = 2  # fewer, and the covariance is mostly chance


def frechet_gesture_distance(
    features: GestureFeatures, *, generated: Sequence[np.ndarray], true: Sequence[np.ndarray]
) -> float:
    """Compare generated with true motions by the features of their windows.

    Shapes:   generated, true: (F, 134) hand parameters each, any F; windows with NaN (a hand that is not
              there) and motions shorter than a window are left out
    Units:    >= 0, lower is better; features are in deviations of the motions that the network was
              trained on, so 1 is about one such deviation of one feature
    Raises:   ConfigError: too few windows on a side
    Source:   Yoon et al. 2020, "Speech Gesture Generation from the Trimodal Context of Text, Audio, and
              Speaker Identity" (FGD: an autoencoder's features, then FID's distance); EMO2
              table 1
    """
    return frechet_distance(motion_features(features, generated), motion_features(features, true))


def frechet_distance(x_ND: np.ndarray, y_ND: np.ndarray) -> float:
    """Compare two sets of vectors as if both were normally distributed.

    Shapes:   x_ND (N, D), y_ND (M, D): N and M at least 2 D
    Units:    the vectors' unit, squared; 0 for a set and itself
    Raises:   ConfigError: too few vectors on a side
    """
    for name, vectors in (("first", x_ND), ("second", y_ND)):
        least = LEAST_SAMPLES_PER_FEATURE * vectors.shape[1]
        if len(vectors) < least:
            raise ConfigError(
                f"The Frechet distance got {len(vectors)} vectors in its {name} set, but {vectors.shape[1]} "
                f"features need at least {least}; give more motions, or longer ones."
            )
    return gaussian_frechet_distance(_moments(x_ND), _moments(y_ND))


def gaussian_frechet_distance(x: tuple[np.ndarray, np.ndarray], y: tuple[np.ndarray, np.ndarray]) -> float:
    """Compare two normal distributions: |mx - my|^2 + tr(Cx + Cy - 2 (Cx Cy)^1/2).

    The trace of (Cx Cy)^1/2 is the sum of the singular values of Cx^1/2 Cy^1/2, which needs the roots of
    symmetric matrices only: nothing turns complex, and singular covariances are as good as others.

    Shapes:   x, y: mean (D,) and covariance (D, D)
    Source:   Dowson and Landau 1982, "The Frechet distance between multivariate normal distributions"
    """
    (mean_x, covariance_x), (mean_y, covariance_y) = x, y
    cross = np.linalg.svd(_root(covariance_x) @ _root(covariance_y), compute_uv=False).sum()
    spread = np.trace(covariance_x) + np.trace(covariance_y) - 2.0 * cross
    return max(0.0, float(((mean_x - mean_y) ** 2).sum() + spread))


def _moments(vectors_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vectors = np.asarray(vectors_ND, dtype=np.float64)
    return vectors.mean(axis=0), np.atleast_2d(np.cov(vectors, rowvar=False))


def _root(covariance_DD: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance_DD)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
