"""Noise that belongs to the absolute frame.

One stream per seed, one draw per frame, in order: the same frame gets the same noise whatever the segment
length, and a frame that is made again gets its own again. ComfyUI's RandomNoise draws the same numbers for a
latent whose batch_index names the frames.
"""

import torch
from torch import Tensor


class FrameNoise:
    """Hand out the noise of any span of frames; spans that move forward cost only their new frames.

    Shapes:   shape (C, h, w) of one frame
    """

    def __init__(self, seed: int, shape: tuple[int, int, int]) -> None:
        self._seed, self._shape = seed, shape
        self._restart()

    def __call__(self, frames: range) -> Tensor:
        """Give the noise of these frames.

        Shapes:   (len(frames), C, h, w) float32, on the CPU
        """
        if frames.start < self._first:
            self._restart()
        while self._first + len(self._kept) < frames.stop:
            self._kept.append(torch.randn(self._shape, generator=self._generator))
            if self._first < frames.start:
                self._kept.pop(0)
                self._first += 1
        dropped = min(frames.start - self._first, len(self._kept))
        del self._kept[:dropped]
        self._first += dropped
        return torch.stack(self._kept[: len(frames)])

    def _restart(self) -> None:
        self._generator = torch.Generator().manual_seed(self._seed)
        self._kept: list[Tensor] = []  # the noise of frames _first, _first + 1, ...
        self._first = 0
