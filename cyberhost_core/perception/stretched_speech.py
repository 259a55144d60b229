"""Speech features as Hallo hears them: wav2vec2 whose transformer runs at the video's frame rate.

    wave 16 kHz --convolutions--> (T50, 512) --stretched to the frames--> (F, 512) --transformer-->
                                     --> what each of the L layers gives, side by side: (F, L D)

For wav2vec2-base: 12 x 768 = 9216. Working memory stays flat as in `speech`: the stretching holds two pieces
of the convolutions, and the transformer runs on 20 s with 5 s of context on both sides.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..controls.audio_windows import stretch_chunks
from .speech import SpeechFeatures


class StretchedSpeech:
    """Turn sounds into one row of wav2vec2 features per video frame."""

    def __init__(self, speech: SpeechFeatures) -> None:
        self.speech = speech

    @property
    def size(self) -> int:
        """Length of one frame's row: layers x hidden size; 9216 for wav2vec2-base."""
        config = self.speech.model.config
        return config.num_hidden_layers * config.hidden_size

    @torch.no_grad()
    def frame_pieces(self, wave_T: np.ndarray | Tensor, *, frames: int, fps: float) -> Iterator[Tensor]:
        """Describe a sound, some frames at a time.

        Shapes:   wave_T (T,) mono at 16 kHz; yields (F_i, size) float32 on the CPU, `frames` in all
        Raises:   AudioError: the sound is empty, not mono, or holds values that are not numbers
        Source:   Hallo (arXiv 2406.08801) section 4.1, public code: hidden_states[1:] of every layer
        Reads:    the last state is the encoder's own output; for wav2vec2-base that is the last layer's
        Departs:  the public code runs the transformer over the whole sound at once, and first pads the sound
                  with silence to a multiple of 16 frames
        """
        heard, steps = self.speech.convolve(wave_T)
        stretched = stretch_chunks(heard, steps=steps, frames=frames)
        for states in self.speech.transform(stretched, steps=frames, rate_hz=fps):
            yield torch.cat([*states[1:-2], states[-1]], dim=-1).float().cpu()
