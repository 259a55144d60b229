"""From wav2vec2 steps to one audio window per video frame (CyberHost appendix E).

hidden_TD at 50 Hz --linear interpolation--> (F, D) at fps --neighbours--> (F, 5, D)

step i hears samples 320 i .. 320 i + 399     its centre: (320 i + 200) / 16000 s
frame f is shown from f/fps to (f+1)/fps      its centre: (f + 0.5) / fps s
"""

from collections.abc import Iterable

import torch

from ..units import SPEECH_RATE_HZ

STEP_SAMPLES = 320  # product of the strides of wav2vec2's convolutions
STEP_FIELD_SAMPLES = 400  # what one step hears
WINDOW_SIZE = 5


def interpolate_to_fps(hidden_TD: torch.Tensor, *, frames: int, fps: float) -> torch.Tensor:
    """Sample the hidden states at the middle of every video frame.

    Shapes:   hidden_TD (T, D) at 50 Hz, T >= 1; result (F, D)
    Units:    fps frames per second; frames whose middle lies outside the sound take the nearest step
    Source:   CyberHost (ICLR 2025) appendix E; the rate of 50 Hz is wav2vec2's
    Reads:    the paper does not say how steps meet frames; we match the centres in time, so that at 25 fps
              frame f sits at step 2 f + 0.375 whatever the length of the sound (peers stretch end to end,
              which drifts)
    """
    return interpolate_chunks_to_fps([hidden_TD], frames=frames, fps=fps)


def interpolate_chunks_to_fps(chunks: Iterable[torch.Tensor], *, frames: int, fps: float) -> torch.Tensor:
    """As interpolate_to_fps, for steps that come in pieces: no more than two pieces are held at a time.

    Shapes:   chunks, in order, (T_i, D) each, T_i >= 1; result (F, D)
    """
    middle_secs = (torch.arange(frames, dtype=torch.float64) + 0.5) / fps
    place = ((middle_secs * SPEECH_RATE_HZ - STEP_FIELD_SAMPLES / 2) / STEP_SAMPLES).clamp(min=0)
    found: list[torch.Tensor] = []
    done = end = 0  # frames found, steps seen
    last: torch.Tensor | None = None
    for chunk_TD in chunks:
        held_TD = chunk_TD if last is None else torch.cat([last, chunk_TD])
        end += len(chunk_TD)
        stop = done + int((place[done:] <= end - 1).sum())
        found.append(_between_steps(held_TD, place[done:stop] - (end - len(held_TD))))
        done, last = stop, chunk_TD[-1:]
    assert last is not None, "a sound has at least one step"
    return torch.cat([*found, last.expand(frames - done, -1)])


def _between_steps(hidden_TD: torch.Tensor, place_F: torch.Tensor) -> torch.Tensor:
    before = place_F.floor().long()
    after = (before + 1).clamp(max=len(hidden_TD) - 1)
    share = (place_F - before).to(hidden_TD).unsqueeze(1)
    before, after = before.to(hidden_TD.device), after.to(hidden_TD.device)
    return torch.lerp(hidden_TD[before], hidden_TD[after], share)


def windows(features_FD: torch.Tensor, *, size: int = WINDOW_SIZE) -> torch.Tensor:
    """Give every frame its neighbours f - size // 2 .. f + size // 2; the ends repeat their frame.

    The result is a view with overlapping memory, so that windows cost no more than the features themselves:
    read it, or copy what you change.

    Shapes:   features_FD (F, D); result (F, size, D); size is odd
    Source:   CyberHost (ICLR 2025) appendix E: "a temporal window of size 5, constructing an input audio
              feature of shape (5, 10752) for each video frame"
    Reads:    we centre the window on its frame
    """
    margin = size // 2
    first = features_FD[:1].expand(margin, -1)
    last = features_FD[-1:].expand(margin, -1)
    padded = torch.cat([first, features_FD, last])
    return padded.unfold(0, size, 1).transpose(1, 2)
