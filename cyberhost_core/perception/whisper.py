"""Speech features with the encoder of Whisper: what every block passes on, 50 times a second.

    wave 16 kHz --> log-mel (80, 100 / s) --> 30 s at a time, the rest 0.0 --> convolutions + positions
                                    --> L + 1 levels: the input of the first block, the output of each

For whisper-tiny: (4 + 1) x 384 = 1920 per step. The last level is what the last block gives, before the
normalisation that closes the encoder.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from .checked_wave import at_least, checked_wave
from .log_mel import FIELD_SAMPLES, log_mel_chunks
from .recorded import recorded
from .whisper_file import build_whisper, read_whisper_folder

if TYPE_CHECKING:
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

_SPECTRA_PER_STEP = 2  # the second convolution's stride


class WhisperFeatures:
    """Turn sounds into Whisper's features."""

    def __init__(self, model: "WhisperEncoder") -> None:
        self.model: Any = model.eval()

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor], config: Mapping[str, Any]) -> "WhisperFeatures":
        """Build from weights and a Hugging Face configuration.

        Raises:   CheckpointError: the weights do not fit the configuration
                  MissingExtraError: transformers is not installed
        """
        return cls(build_whisper(state, config))

    @classmethod
    def from_folder(cls, folder: str | Path) -> "WhisperFeatures":
        """Build from a downloaded folder: config.json, model.safetensors.

        Raises:   CheckpointError: a file is missing or unreadable
                  MissingExtraError: transformers is not installed
        """
        return cls.from_state_dict(*read_whisper_folder(folder))

    @property
    def size(self) -> int:
        """Length of one step's vector: (blocks + 1) x width; 1920 for whisper-tiny."""
        return (self.model.config.encoder_layers + 1) * self.model.config.d_model

    def extract(self, wave_T: np.ndarray | Tensor) -> Tensor:
        """Describe a whole sound.

        Shapes:   wave_T (T,) mono; result (T // 320, size) float32 on the CPU, level after level in a row; a
                  sound below 25 ms gives one step
        Units:    wave -1..1 at 16 kHz; steps of 20 ms
        Raises:   AudioError: the sound is empty, not mono, or holds values that are not numbers
        Source:   EchoMimicV2's public code; Whisper (arXiv 2212.04356)
        Departs:  float32 throughout; the public code runs Whisper in float16 where there is a GPU
        """
        return torch.cat(list(self.extract_chunks(wave_T)))

    @torch.no_grad()
    def extract_chunks(self, wave_T: np.ndarray | Tensor) -> Iterator[Tensor]:
        """Describe a sound piece by piece: the same steps as `extract`, never all in memory."""
        wave = at_least(checked_wave(wave_T), FIELD_SAMPLES)
        chunk = self.model.config.max_source_positions * _SPECTRA_PER_STEP
        for mel_CT in log_mel_chunks(wave, mels=self.model.config.num_mel_bins, chunk=chunk):
            yield self.encode(mel_CT).flatten(1).float().cpu()

    @torch.no_grad()
    def encode(self, mel_CT: Tensor) -> Tensor:
        """Run the encoder over up to 30 s.

        Shapes:   mel_CT (mels, T), T at most twice the encoder's positions; result (T // 2, levels, width)
        """
        spectra = mel_CT.shape[1]
        room = self.model.config.max_source_positions * _SPECTRA_PER_STEP - spectra
        heard = pad(mel_CT, (0, room)).to(next(self.model.parameters()))
        with recorded(self.model.layers) as levels:
            self.model(heard[None])
        return torch.stack(levels, dim=2)[0, : spectra // _SPECTRA_PER_STEP]
