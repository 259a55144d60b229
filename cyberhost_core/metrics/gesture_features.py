"""Features of hand motion: a small autoencoder of one second of both hands, trained on any motion.

    motions --gesture_windows--> (N, 32, 198) -> standardized -> convolutions -> 16 features -> windows again
                                                                                 |
                                                                                 +-> standardized -> FGD

Puppets' or people's motion: the code is the same, the file says nothing of which. Trained by
exams/gestures/feature_training. Saved as safetensors; metadata (strings): format, config (JSON).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..checkpoints.small_files import SmallFile
from ..config import Config
from ..errors import ConfigError
from .gesture_windows import INPUTS, motion_windows

_FILE = SmallFile("cyberhost-gesture-features-1", "gesture feature network", "train one on motion")
_STRIDE = 8  # of the three convolutions together


class GestureFeaturesConfig(Config):
    """Sizes of the autoencoder.

    Units:    window: frames, a multiple of 8; fps: of the motions it is trained on and may be used for
    """

    window: int = 32
    features: int = 16
    width: int = 64
    fps: float = 25.0


class GestureFeatures(nn.Module):
    """Turn windows of hand motion into features, and back.

    Source:   Yoon et al. 2020 (an autoencoder of poses by 1-D convolutions); Zhou et al. 2019, "On the
              Continuity of Rotation Representations in Neural Networks" (6 numbers of a rotation)
    """

    input_mean_C: Tensor
    input_deviation_C: Tensor
    feature_mean_D: Tensor
    feature_deviation_D: Tensor

    def __init__(self, config: GestureFeaturesConfig) -> None:
        super().__init__()
        if config.window % _STRIDE or config.window < _STRIDE:
            raise ConfigError(
                f"Gesture features of windows of {config.window} frames were asked for; "
                f"give a multiple of {_STRIDE}."
            )
        self.config = config
        width, steps = config.width, config.window // _STRIDE
        self.encoder = nn.Sequential(
            nn.Conv1d(INPUTS, width, 5, stride=2, padding=2),
            nn.SiLU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.SiLU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(width * steps, config.features),
        )
        self.decoder = nn.Sequential(
            nn.Linear(config.features, width * steps),
            nn.Unflatten(1, (width, steps)),
            nn.SiLU(),
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.ConvTranspose1d(width, INPUTS, 4, stride=2, padding=1),
        )
        self.register_buffer("input_mean_C", torch.zeros(INPUTS))
        self.register_buffer("input_deviation_C", torch.ones(INPUTS))
        self.register_buffer("feature_mean_D", torch.zeros(config.features))
        self.register_buffer("feature_deviation_D", torch.ones(config.features))

    def forward(self, windows_NFC: Tensor) -> Tensor:
        raw = self.encoder(self.standardized(windows_NFC).transpose(1, 2))
        return (raw - self.feature_mean_D) / self.feature_deviation_D

    def reconstruction_loss(self, windows_NFC: Tensor) -> Tensor:
        """Compare windows with what comes back of them: 1 for a network that knows the mean only."""
        inputs_NCF = self.standardized(windows_NFC).transpose(1, 2)
        return nnf.mse_loss(self.decoder(self.encoder(inputs_NCF)), inputs_NCF)

    def standardized(self, windows_NFC: Tensor) -> Tensor:
        """Bring every input to the mean 0 and the deviation 1 of the motions trained on."""
        return (windows_NFC - self.input_mean_C) / self.input_deviation_C


def motion_features(features: GestureFeatures, motions: Sequence[np.ndarray]) -> np.ndarray:
    """Compute the features of every window of every motion.

    Shapes:   motions: (F, 134) each; result (N, D) float64
    """
    windows_NFC = motion_windows(motions, window=features.config.window)
    if not len(windows_NFC):
        return np.zeros((0, features.config.features))
    with torch.inference_mode():
        return features(torch.from_numpy(windows_NFC)).double().numpy()


def save_gesture_features(features: GestureFeatures, path: Path) -> None:
    """Write the network with its configuration."""
    _FILE.write(path, features.state_dict(), config=features.config.to_json())


def load_gesture_features(path: Path) -> GestureFeatures:
    """Read what save_gesture_features wrote.

    Raises:   CheckpointError: no file, of another kind, or damaged
    """
    metadata, tensors = _FILE.read(path)
    features = GestureFeatures(GestureFeaturesConfig.parse(metadata["config"]))
    return _FILE.filled(features, tensors, path=path)
