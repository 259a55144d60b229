"""Train the feature network of FGD on motions: puppets', or a user's own.

motions --gesture_windows--> windows of one second --step number--> 64 of them -> autoencoder -> error
averaged autoencoder -> features of all windows -> their mean and deviation, which features leave without
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...errors import ConfigError
from ...metrics.gesture_features import GestureFeatures, GestureFeaturesConfig
from ...metrics.gesture_windows import motion_windows
from ...training.loop import LoopConfig
from ...training.part_runs import arrays_fingerprint
from ...training.trainer import Learner, Report, TensorBatch, Trainer

FEATURES_LOOP = LoopConfig(
    steps=600,
    learning_rate=2e-3,
    decay="cosine",
    decay_fraction=1.0,
    decay_to=0.0,
    weight_decay=0.02,
    betas=(0.9, 0.98),
    ema_decay=0.99,
    precision="no",
    workers=0,  # drawing rows takes less than handing them over
)
_BATCH = 64
_LEAST_DEVIATION = 0.02  # of a rotation's entries and of fractions of a picture: what never moves stays small


@dataclass(frozen=True)
class WindowBatch(TensorBatch):
    """Hold windows of motion.

    Shapes:   windows (N, F, 198), see gesture_windows
    """

    windows: Tensor


class WindowBatches(Dataset[WindowBatch]):
    """Map a step number to some of all windows."""

    def __init__(self, windows_NFC: Tensor, *, seed: int, rank: int = 0) -> None:
        self.windows_NFC, self.seed, self.rank = windows_NFC, seed, rank

    def __getitem__(self, step: int) -> WindowBatch:
        rng = np.random.default_rng((self.seed, step, self.rank))
        return WindowBatch(self.windows_NFC[rng.integers(len(self.windows_NFC), size=_BATCH)])


class FeatureLearner(Learner[GestureFeatures]):
    """Compute how far windows are from what comes back of them."""

    def __init__(self, model: GestureFeatures) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: WindowBatch) -> dict[str, Tensor]:
        return {"reconstruction": self.model.reconstruction_loss(batch.windows)}


def train_gesture_features(
    motions: Sequence[np.ndarray],
    *,
    config: GestureFeaturesConfig | None = None,
    loop: LoopConfig = FEATURES_LOOP,
    seed: int = 0,
    show: Report | None = None,
) -> GestureFeatures:
    """Train the features; the run takes less than a minute, so its file is kept no longer than that.

    The same motions, loop and seed give the same network on the same machine.

    Shapes:   motions: (F, 134) hand parameters each; those shorter than a window are left out
    Raises:   ConfigError: fewer windows than twice the features; MissingExtraError: accelerate is not
              installed
    """
    config = config or GestureFeaturesConfig()
    windows_NFC = feature_windows(motions, config)
    with TemporaryDirectory() as folder:
        trainer = feature_trainer(windows_NFC, config, loop, out=Path(folder), seed=seed)
        trained = trainer.run(report=show).cpu()
    with torch.no_grad():
        found_ND = trained(windows_NFC)
    trained.feature_mean_D = found_ND.mean(dim=0)
    trained.feature_deviation_D = found_ND.std(dim=0).clamp(min=1e-6)
    return trained


def feature_windows(motions: Sequence[np.ndarray], config: GestureFeaturesConfig) -> Tensor:
    """Cut motions into the windows that features are learned from: (N, F, 198).

    Raises:   ConfigError: fewer windows than twice the features
    """
    windows_NFC = motion_windows(motions, window=config.window)
    if len(windows_NFC) < 2 * config.features:
        raise ConfigError(
            f"The motions give {len(windows_NFC)} windows of {config.window} frames, but {config.features} "
            f"features need at least {2 * config.features} to learn from; give more motions, or longer ones."
        )
    return torch.from_numpy(windows_NFC)


def feature_trainer(
    windows_NFC: Tensor, config: GestureFeaturesConfig, loop: LoopConfig, *, out: Path, seed: int = 0
) -> Trainer[GestureFeatures]:
    """Put a network, which knows the windows' statistics, together with its batches."""
    with torch.random.fork_rng(devices=[]):  # an exam draws other things meanwhile
        torch.manual_seed(seed)
        network = GestureFeatures(config)
    network.input_mean_C = windows_NFC.mean(dim=(0, 1))
    network.input_deviation_C = windows_NFC.std(dim=(0, 1)).clamp(min=_LEAST_DEVIATION)
    settings = {
        "loop": loop.model_dump(),
        "features": config.model_dump(),
        "seed": seed,
        "windows": arrays_fingerprint([windows_NFC.numpy()]),
    }
    return Trainer(
        FeatureLearner(network),
        lambda rank: WindowBatches(windows_NFC, seed=seed, rank=rank),
        loop,
        config=json.dumps(settings),
        out=out,
    )
