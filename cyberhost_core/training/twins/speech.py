"""The speech twin: a wav2vec2 of half a million weights, in the folder format of the real one.

    wave 16 kHz -> 7 convolutions (stride 320) -> 4 transformer layers -> hidden states at 50 Hz
                                                      └-> training only: a linear head on each state says
                                                          log-mel, voicing, mouth opening, mouth width

wav2vec2 learns from thousands of hours without labels; with minutes of synthetic speech, being told what to
hear is the shorter way to states that a video model can move lips with. Each state gets a head, as the video
model reads all of them (CyberHost section 3.1: 13 hidden states and the last one, stacked).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as nnf
from torch.utils.data import Dataset
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from ...config import Config
from ...units import SPEECH_RATE_HZ
from ..loop import LoopConfig
from ..part_runs import arrays_fingerprint, train_part
from ..trainer import Learner, Report, TensorBatch
from .loops import SPEECH_LOOP
from .speech_sounds import MELS, TARGETS, Voice, draw_sounds, normalised, steps_of

# The opening is what lips will follow, so it counts most. In this order: mels, voicing, opening, width.
TARGET_WEIGHTS = (1.0,) * MELS + (4.0, 24.0, 8.0)


class SpeechTwinConfig(Config):
    """Sizes of the speech twin; kernels and strides are wav2vec2's own, so that its steps are too."""

    hidden: int = 64
    layers: int = 4
    heads: int = 4
    intermediate: int = 192
    channels: int = 48
    position_kernel: int = 32
    position_groups: int = 4

    def network(self) -> Wav2Vec2Config:
        """Write the sizes as a wav2vec2 configuration."""
        sizes: dict[str, Any] = {
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.intermediate,
            "conv_dim": (self.channels,) * 7,
            "num_conv_pos_embeddings": self.position_kernel,
            "num_conv_pos_embedding_groups": self.position_groups,
            # Per-step norms: what a stretch sounds like must not depend on the rest of a long recording.
            "feat_extract_norm": "layer",
            "feat_extract_activation": "relu",  # the backward of gelu takes a third of the training otherwise
            "apply_spec_augment": False,
            "hidden_dropout": 0.0,
            "attention_dropout": 0.0,
            "activation_dropout": 0.0,
            "feat_proj_dropout": 0.0,
            "layerdrop": 0.0,
            "vocab_size": 32,
            "attn_implementation": "eager",  # the fused kernel's backward is slow on a CPU
        }
        return Wav2Vec2Config(**sizes)


class SoundSampling(Config):
    """What a step hears: so many crops, so long."""

    crops: int = 16
    crop_secs: float = 3.0


@dataclass(frozen=True)
class SoundBatch(TensorBatch):
    """Hold disturbed sounds and what a listener should make of them, as draw_sounds gives them."""

    waves: Tensor
    targets: Tensor


class SoundBatches(Dataset[SoundBatch]):
    """Map a step number to some disturbed crops."""

    def __init__(self, voices: Sequence[Voice], sampling: SoundSampling, *, seed: int, rank: int = 0) -> None:
        self.voices, self.sampling, self.seed, self.rank = voices, sampling, seed, rank

    def __getitem__(self, step: int) -> SoundBatch:
        rng = np.random.default_rng((self.seed, step, self.rank))
        drawn = draw_sounds(self.voices, rng=rng, count=self.sampling.crops, secs=self.sampling.crop_secs)
        return SoundBatch(*drawn)


class SpeechLearner(Learner[Wav2Vec2Model]):
    """The twin with the heads that teach it: each says what it hears in one of the hidden states."""

    def __init__(self, config: SpeechTwinConfig) -> None:
        super().__init__()
        self.model = Wav2Vec2Model(config.network())
        self.heads = nn.ModuleList(nn.Linear(config.hidden, TARGETS) for _ in range(config.layers + 1))

    def forward(self, batch: SoundBatch) -> dict[str, Tensor]:
        states = self.model(batch.waves, output_hidden_states=True).hidden_states
        predictions = [head(state) for head, state in zip(self.heads, states, strict=True)]
        return {"hearing": hearing_loss(predictions, batch.targets)}


def train_speech_twin(
    voices: Sequence[Voice],
    out: Path,
    *,
    loop: LoopConfig = SPEECH_LOOP,
    sampling: SoundSampling | None = None,
    config: SpeechTwinConfig | None = None,
    seed: int = 0,
    until: int | None = None,
    show: Report | None = None,
) -> Path | None:
    """Train, or go on with, a speech twin on spoken utterances; write it as a wav2vec2 folder.

    Returns OUT, or None where `until` came before the loop's end. Deterministic by seed on one machine with a
    fixed number of threads.

    Source:   CyberHost (ICLR 2025) section 3.1 uses wav2vec2; the twin's training is ours
    """
    sampling, config = sampling or SoundSampling(), config or SpeechTwinConfig()
    torch.manual_seed(seed)
    return train_part(
        SpeechLearner(config),
        lambda rank: SoundBatches(voices, sampling, seed=seed, rank=rank),
        loop,
        settings={
            "sampling": sampling.model_dump(),
            "twin": config.model_dump(),
            "seed": seed,
            "voices": arrays_fingerprint(
                array for voice in voices for array in (voice.wave_T, voice.mouth_S2)
            ),
        },
        out=out,
        write=lambda average: save_speech_twin(average, out),
        until=until,
        show=show,
    )


def hearing_loss(predictions: Sequence[Tensor], targets_BSC: Tensor) -> Tensor:
    """Weighted squared error, averaged over the heads."""
    weights = torch.tensor(TARGET_WEIGHTS, device=targets_BSC.device)
    errors = [(nnf.mse_loss(p.float(), targets_BSC, reduction="none") * weights).mean() for p in predictions]
    return torch.stack(errors).mean()


def save_speech_twin(twin: Wav2Vec2Model, folder: Path) -> None:
    """Write config.json, model.safetensors (16-bit) and preprocessor_config.json, as the real one has.

    The configuration asks for 32-bit, so that `Wav2Vec2Model.from_pretrained(folder)` computes in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    twin.config.architectures = ["Wav2Vec2Model"]
    twin.config.dtype = torch.float32
    twin.config.save_pretrained(folder)
    halves = {name: value.to(torch.float16).contiguous() for name, value in twin.state_dict().items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    Wav2Vec2FeatureExtractor(sampling_rate=SPEECH_RATE_HZ, do_normalize=True).save_pretrained(folder)


@torch.no_grad()
def listen(twin: Wav2Vec2Model, wave_T: np.ndarray) -> Tensor:
    """Stack all hidden states and the last one, as the video model reads them: (S, (layers + 2) * hidden)."""
    heard = twin(normalised(torch.from_numpy(wave_T)[None].float()), output_hidden_states=True)
    return torch.cat([*heard.hidden_states, heard.last_hidden_state], dim=-1)[0].float()


def mouth_probe_r2(twin: Wav2Vec2Model, *, train: Sequence[Voice], test: Sequence[Voice]) -> float:
    """Share of the mouth opening's variance on unheard voices that a linear readout of the twin explains.

    Units:    1.0 is perfect, 0.0 is no better than the mean opening
    """
    x_ND, y_N = _readings(twin, train)
    slope = _ridge(x_ND, y_N, strength=1e-3)
    x_ND, y_N = _readings(twin, test)
    return float(1 - (x_ND @ slope - y_N).square().sum() / (y_N - y_N.mean()).square().sum())


def _readings(twin: Wav2Vec2Model, voices: Sequence[Voice]) -> tuple[Tensor, Tensor]:
    """Pair what the twin hears, and a 1 for the offset, with the true opening at all steps of all voices."""
    heard, openings = [], []
    for voice in voices:
        steps = steps_of(len(voice.wave_T))
        heard.append(nnf.pad(listen(twin, voice.wave_T), (0, 1), value=1.0))
        openings.append(torch.from_numpy(voice.mouth_S2[:steps, 0]).float())
    return torch.cat(heard).double(), torch.cat(openings).double()


def _ridge(x_ND: Tensor, y_N: Tensor, *, strength: float) -> Tensor:
    gram = x_ND.T @ x_ND
    return torch.linalg.solve(gram + strength * len(x_ND) * torch.eye(len(gram)), x_ND.T @ y_N)
