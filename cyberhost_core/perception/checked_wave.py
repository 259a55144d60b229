"""The one look at a sound before a speech network hears it."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ..errors import AudioError


def checked_wave(wave_T: np.ndarray | Tensor) -> Tensor:
    """Give the sound as a float32 tensor.

    Shapes:   wave_T (T,), T >= 1; result (T,)
    Raises:   AudioError: the sound is empty, not mono, or holds values that are not numbers
    """
    wave = torch.as_tensor(wave_T, dtype=torch.float32)
    if wave.ndim != 1 or not len(wave):
        raise AudioError(
            f"The sound has shape {list(wave.shape)}, one channel of at least one sample was expected; "
            "mix it down to mono and check that the file is not empty."
        )
    # min and max carry NaN and infinity through, without a mask as long as the sound
    if not (wave.min().isfinite() and wave.max().isfinite()):
        raise AudioError(
            "The sound holds values that are not finite, samples in -1..1 were expected; export it again."
        )
    return wave


def at_least(wave_T: Tensor, samples: int) -> Tensor:
    """Fill a short sound up with silence; a longer one is given back as it is, without a copy."""
    return wave_T if len(wave_T) >= samples else pad(wave_T, (0, samples - len(wave_T)))
