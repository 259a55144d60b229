"""Speech features with wav2vec2: every hidden layer of every 20 ms step (CyberHost appendix E).

    wave 16 kHz --normalise--> convolutions --> (T50, 512) --> transformer
                                     --> L + 1 hidden states and the last one side by side: (T50, (L + 2) D)

For wav2vec2-base: (12 + 2) x 768 = 10752.

Long sounds keep working memory flat: nothing but the sound itself is held whole. The convolutions run piece
by piece and equal the whole up to rounding, since the only part that looks further than its neighbours is one
normalisation over time, whose mean and variance are gathered first. The transformer looks everywhere; it runs
on 20 s at a time with 5 s of context on both sides.
"""

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..controls.audio_windows import STEPS_PER_SEC
from .checked_wave import at_least, checked_wave
from .recorded import recorded
from .wav2vec_file import build_wav2vec, read_wav2vec_folder

if TYPE_CHECKING:
    from transformers import Wav2Vec2Model

_CONV_STEPS = 100  # 2 s; the first convolution makes 512 channels at 3200 Hz, 13 MB
_VARIANCE_FLOOR = 1e-7  # wav2vec2's feature extractor


class SpeechFeatures:
    """Turn sounds into wav2vec2 features.

    Units:    chunk_secs: what the transformer keeps per run; context_secs: what it hears besides, per side
    """

    def __init__(
        self,
        model: "Wav2Vec2Model",
        *,
        do_normalize: bool = True,
        chunk_secs: float = 20.0,
        context_secs: float = 5.0,
    ) -> None:
        self.model: Any = model.eval()
        self._do_normalize = do_normalize
        self._chunk_secs, self._context_secs = chunk_secs, context_secs

    @classmethod
    def from_state_dict(cls, state: dict[str, Tensor], config: dict[str, Any]) -> "SpeechFeatures":
        """Build from weights and a Hugging Face configuration that may hold `do_normalize` (default True).

        Raises:   CheckpointError: the weights do not fit the configuration
                  MissingExtraError: transformers is not installed
        """
        return cls(build_wav2vec(state, config), do_normalize=bool(config.get("do_normalize", True)))

    @classmethod
    def from_folder(cls, folder: str | Path) -> "SpeechFeatures":
        """Build from a downloaded folder: config.json, model.safetensors, preprocessor_config.json.

        Raises:   CheckpointError: a file is missing or unreadable
                  MissingExtraError: transformers is not installed
        """
        return cls.from_state_dict(*read_wav2vec_folder(folder))

    @property
    def size(self) -> int:
        """Length of one step's vector: (layers + 2) x hidden size; 10752 for wav2vec2-base."""
        return (self.model.config.num_hidden_layers + 2) * self.model.config.hidden_size

    def extract(self, wave_T: np.ndarray | Tensor) -> Tensor:
        """Describe a whole sound.

        Shapes:   wave_T (T,) mono; result (T50, size) float32 on the CPU; a sound below 25 ms gives one step
        Units:    wave -1..1 at 16 kHz; steps of 20 ms
        Raises:   AudioError: the sound is empty, not mono, or holds values that are not numbers
        Source:   CyberHost (ICLR 2025) appendix E: "concatenate the hidden states from each encoder layer ...
                  with the last hidden state, resulting in an audio feature vector of size 10752"
        Reads:    the input of the first layer counts as a hidden state: 13 for 12 layers, 14 x 768 = 10752
        """
        return torch.cat(list(self.extract_chunks(wave_T)))

    @torch.no_grad()
    def extract_chunks(self, wave_T: np.ndarray | Tensor) -> Iterator[Tensor]:
        """Describe a sound piece by piece: the same steps as `extract`, never all in memory."""
        heard, steps = self.convolve(wave_T)
        for states in self.transform(heard, steps=steps, rate_hz=STEPS_PER_SEC):
            yield torch.cat(states, dim=-1).float().cpu()

    def convolve(self, wave_T: np.ndarray | Tensor) -> tuple[Iterator[Tensor], int]:
        """Run the convolutional part: pieces of (up to 100, C), and how many steps they are in all."""
        wave = checked_wave(wave_T)
        layers: list[Any] = list(self.model.feature_extractor.conv_layers)
        stride, field = _field(layers)
        prepare = self._prepare(wave)
        wave = at_least(wave, field)
        steps = (len(wave) - field) // stride + 1
        return _convolve(layers, wave, steps=steps, prepare=prepare), steps

    @torch.no_grad()
    def transform(self, heard: Iterator[Tensor], *, steps: int, rate_hz: float) -> Iterator[list[Tensor]]:
        """Run the transformer over what the convolutions heard, a chunk at a time.

        Shapes:   heard, in order, (T_i, C) each, `steps` in all; yields L + 2 states of (chunk, D): the input
                  of the first layer, the output of each, and the encoder's own output
        Units:    rate_hz steps per second
        """
        kept, context = max(1, round(self._chunk_secs * rate_hz)), round(self._context_secs * rate_hz)
        chunk = steps if steps <= kept + 2 * context else kept
        for heard_TD, inner in _with_context(heard, steps=steps, chunk=chunk, context=context):
            yield [state_BTD[0, inner] for state_BTD in self._encode(heard_TD)]

    def _prepare(self, wave: Tensor) -> Callable[[Tensor], Tensor]:
        """Build what a piece of this sound goes through: normalised by the whole, moved to the network."""
        like = next(self.model.parameters())
        mean, deviation = wave.mean(), torch.sqrt(wave.var(correction=0) + _VARIANCE_FLOOR)

        def prepare(piece: Tensor) -> Tensor:
            return ((piece - mean) / deviation if self._do_normalize else piece).to(like)

        return prepare

    def _encode(self, heard_TD: Tensor) -> list[Tensor]:
        projected, _ = self.model.feature_projection(heard_TD[None])
        with recorded(self.model.encoder.layers) as states:
            last = self.model.encoder(projected).last_hidden_state
        return [*states, last]


def _convolve(
    layers: list[Any], wave_T: Tensor, *, steps: int, prepare: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """Run the convolutional part over a wave of any length; yields (up to 100, C), in order."""
    stride, field = _field(layers)
    moments = _first_layer_moments(layers[0], wave_T, prepare)
    for start in range(0, steps, _CONV_STEPS):
        stop = min(start + _CONV_STEPS, steps)
        piece = prepare(wave_T[start * stride : (stop - 1) * stride + field])
        hidden = _first_layer(layers[0], piece, moments)
        for layer in layers[1:]:
            hidden = layer(hidden)
        yield hidden[0].T


def _with_context(
    pieces: Iterator[Tensor], *, steps: int, chunk: int, context: int
) -> Iterator[tuple[Tensor, slice]]:
    """Cut steps that come in pieces into chunks; yields (chunk and its context, where in it the chunk is)."""
    held: deque[Tensor] = deque()
    begin = end = 0  # steps in `held`
    for start in range(0, steps, chunk):
        stop = min(start + chunk, steps)
        first, last = max(start - context, 0), min(stop + context, steps)
        while end < last:
            held.append(next(pieces))
            end += len(held[-1])
        while begin + len(held[0]) <= first:
            begin += len(held.popleft())
        yield torch.cat(list(held))[first - begin : last - begin], slice(start - first, stop - first)


def _field(layers: list[Any]) -> tuple[int, int]:
    """Stride and receptive field of a stack of convolutions, in samples: 320 and 400 for wav2vec2."""
    stride, field = 1, 1
    for layer in layers:
        field += (layer.conv.kernel_size[0] - 1) * stride
        stride *= layer.conv.stride[0]
    return stride, field


def _first_layer_moments(
    layer: Any, wave_T: Tensor, prepare: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor] | None:
    """Mean and variance per channel of the whole sound, where the first layer normalises over time."""
    norm = getattr(layer, "layer_norm", None)
    if not isinstance(norm, nn.GroupNorm):
        return None
    kernel, stride = layer.conv.kernel_size[0], layer.conv.stride[0]
    outputs = (len(wave_T) - kernel) // stride + 1
    size = _CONV_STEPS * 64  # the first layer makes 64 outputs per step
    total, squares = 0.0, 0.0
    for start in range(0, outputs, size):
        stop = min(start + size, outputs)
        piece_T = prepare(wave_T[start * stride : (stop - 1) * stride + kernel])
        hidden = layer.conv(piece_T[None, None])[0].double()
        total, squares = total + hidden.sum(dim=1), squares + hidden.square().sum(dim=1)
    mean = torch.as_tensor(total) / outputs
    return mean, torch.as_tensor(squares) / outputs - mean.square()


def _first_layer(layer: Any, wave_T: Tensor, moments: tuple[Tensor, Tensor] | None) -> Tensor:
    """Run the first layer, with the moments of the whole sound in place of the piece's own."""
    if moments is None:
        return layer(wave_T[None, None])
    norm, (mean, variance) = layer.layer_norm, moments
    scale = norm.weight / torch.sqrt(variance + norm.eps).to(norm.weight)
    shift = norm.bias - mean.to(norm.bias) * scale
    return layer.activation(layer.conv(wave_T[None, None]) * scale[:, None] + shift[:, None])
