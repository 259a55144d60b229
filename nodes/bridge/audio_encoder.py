"""The speech encoder inside a checkpoint as ComfyUI's AUDIO_ENCODER.

Native nodes ask it for `encode_audio`; our own node takes `speech`, which describes a sound piece by piece
and so keeps memory flat. Both give the same numbers.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import comfy.model_management as management
import comfy.model_patcher
import torch
from torch import Tensor, nn

from ...cyberhost_core.perception.speech import SpeechFeatures
from ...cyberhost_core.perception.wav2vec_file import build_wav2vec
from ...cyberhost_core.units import SPEECH_RATE_HZ

if TYPE_CHECKING:
    from transformers import Wav2Vec2Model


def audio_encoder(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> "SpeechEncoder":
    """Build the encoder from a checkpoint's wav2vec2 weights and their Hugging Face configuration.

    Raises:   CheckpointError: the weights do not fit the configuration
    """
    return SpeechEncoder(
        build_wav2vec(dict(state), dict(config)), do_normalize=config.get("do_normalize", True)
    )


class SpeechEncoder:
    """Hold the encoder where ComfyUI moves it, with what its own AudioEncoderModel offers."""

    model_sample_rate = SPEECH_RATE_HZ

    def __init__(self, model: "Wav2Vec2Model", *, do_normalize: bool) -> None:
        self.model: Any = model
        self.speech = SpeechFeatures(model, do_normalize=do_normalize)
        self.dtype = torch.float32
        self.load_device = management.text_encoder_device()
        # The plain patcher also where ComfyUI loads dynamically: that needs layers of its own, which
        # transformers does not build.
        # In a list, because the patcher sets `device`, which is read-only on a model of transformers.
        self.patcher = comfy.model_patcher.ModelPatcher(
            nn.ModuleList([model]),
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
        """Describe sounds as ComfyUI's encoder does.

        Shapes:   audio (B, C, T); encoded_audio (B, steps, D); encoded_audio_all_layers: the input of every
                  layer, then the last output, (B, steps, D) each; audio_samples: T at 16 kHz
        Raises:   AudioError: empty, NaN, or a rate or channels that no recording has
        """
        from ..audio import sound_from_audio

        self.load()
        waves = [
            sound_from_audio({"waveform": wave[None], "sample_rate": sample_rate}).speech_T()
            for wave in audio
        ]
        states_BLS = torch.stack([self.speech.extract(wave_T) for wave_T in waves])
        states = states_BLS.split(self.model.config.hidden_size, dim=-1)
        return {
            "encoded_audio": states[-1],
            "encoded_audio_all_layers": (*states[:-2], states[-1]),
            "audio_samples": len(waves[0]),
        }
