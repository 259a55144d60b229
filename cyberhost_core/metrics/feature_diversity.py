"""Div.: how different are generated gestures from each other, as a feature network sees them?

motions --gesture_features--> a vector per window --all pairs--> mean distance

DIV of EMO2 (motion_diversity) compares joints of motions for one sound; this compares any windows' features.
"""

import numpy as np

from ..errors import ConfigError


def feature_diversity(features_ND: np.ndarray) -> float:
    """Measure the mean distance between two windows' features.

    Shapes:   features_ND (N, D), N at least 2
    Units:    >= 0; features are in deviations of the motions that their network was trained on, so only
              numbers from the same network file can be held against each other
    Raises:   ConfigError: fewer than two windows
    Source:   PAHA appendix B.5 (Div., "the average feature distance between generated gestures"), after Liu
              et al. 2022, "Learning Hierarchical Cross-Modal Association for Co-Speech Gesture Generation"
    """
    if len(features_ND) < 2:
        raise ConfigError(
            f"The diversity of {len(features_ND)} window was asked for, but it compares windows; give more "
            "motions, or longer ones."
        )
    distance_NN = np.linalg.norm(features_ND[:, None] - features_ND[None], axis=-1)
    return float(distance_NN[np.triu_indices(len(features_ND), k=1)].mean())
