"""The speech encoder inside a checkpoint as ComfyUI's AUDIO_ENCODER.

Our own node takes the `listener`, which hears as the checkpoint was trained, and piece by piece, so that
memory stays flat.
Native nodes ask for `encode_audio`: plain wav2vec2, whatever the listener makes of it.
"""

from collections.abc import Mapping
from typing import Any

import comfy.model_management as management
import comfy.model_patcher
import torch
from torch import Tensor, nn

from ...cyberhost_core.errors import ConfigError
from ...cyberhost_core.perception.hearing import Hearing, load_hearing
from ...cyberhost_core.perception.speech import SpeechFeatures
from ...cyberhost_core.units import SPEECH_RATE_HZ


def audio_encoder(
    state: Mapping[str, Tensor], config: Mapping[str, Any], *, hearing: str = "wav2vec2"
) -> "SpeechEncoder":
    """Build the encoder from a checkpoint's speech network and its Hugging Face configuration.

    hearing: how the checkpoint's system hears, in the words of conditioners.sound

    Raises:   CheckpointError: a network of another kind, or weights that do not fit the configuration
              ConfigError: no such hearing
    """
    return SpeechEncoder(load_hearing(hearing, state, config), hearing=hearing)


class SpeechEncoder:
    """Hold the encoder where ComfyUI moves it, with what its own AudioEncoderModel offers."""

    model_sample_rate = SPEECH_RATE_HZ

    def __init__(self, listener: Hearing, *, hearing: str) -> None:
        self.listener, self.hearing = listener, hearing
        self.model: Any = listener.speech.model
        self.dtype = torch.float32
        self.load_device = management.text_encoder_device()
        # The plain patcher also where ComfyUI loads dynamically: that needs layers of its own, which
        # transformers does not build.
        # In a list, because the patcher sets `device`, which is read-only on a model of transformers.
        self.patcher = comfy.model_patcher.ModelPatcher(
            nn.ModuleList([self.model]),
            load_device=self.load_device,
            offload_device=management.text_encoder_offload_device(),
        )

    def get_sd(self) -> dict[str, Tensor]:
        """Give the weights, as ComfyUI's encoder does."""
        return self.model.state_dict()

    def load(self) -> "SpeechEncoder":
        """Move the weights to where they run."""
        management.load_model_gpu(self.patcher)
        return self

    def encode_audio(self, audio: Tensor, sample_rate: int) -> dict[str, Any]:
        """Describe sounds as ComfyUI's wav2vec2 does.

        Shapes:   audio (B, C, T); encoded_audio (B, steps, D); encoded_audio_all_layers: the input of every
                  layer, then the last output, (B, steps, D) each; audio_samples: T at 16 kHz
        Raises:   AudioError: empty, NaN, or a rate or channels that no recording has
                  ConfigError: this checkpoint hears with another network
        """
        from ..helpers.audio import sound_from_audio

        speech = self.listener.speech
        if not isinstance(speech, SpeechFeatures):
            raise ConfigError(
                f"The checkpoint's hearing is '{self.hearing}', but native nodes were made for wav2vec2; "
                "connect its audio_encoder to Wav2Vec Audio Features, which makes the checkpoint's features."
            )
        self.load()
        waves = [
            sound_from_audio({"waveform": wave[None], "sample_rate": sample_rate}).speech_T()
            for wave in audio
        ]
        states_BLS = torch.stack([speech.extract(wave_T) for wave_T in waves])
        states = states_BLS.split(self.model.config.hidden_size, dim=-1)
        return {
            "encoded_audio": states[-1],
            "encoded_audio_all_layers": (*states[:-2], states[-1]),
            "audio_samples": len(waves[0]),
        }
