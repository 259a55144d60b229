"""From a speech network's steps to what each video frame hears.

matched in time   hidden_TD at 50 Hz --linear interpolation--> (F, D) at fps --neighbours--> (F, 5, D)
stretched         heard_TC at 50 Hz --first on first, last on last--> (F, C), then the transformer, neighbours
around its start  hidden_TD at 50 Hz --steps c - 4 .. c + 5, c = int(50 f / fps)--> (F, 10, D)

step i hears samples 320 i .. 320 i + 399     its centre: (320 i + 200) / 16000 s
frame f is shown from f/fps to (f+1)/fps      its centre: (f + 0.5) / fps s
"""

from collections.abc import Iterable, Iterator

import torch

from ..units import SPEECH_RATE_HZ

STEP_SAMPLES = 320  # product of the strides of wav2vec2's convolutions
STEP_FIELD_SAMPLES = 400  # what one step hears
WINDOW_SIZE = 5
STEPS_PER_SEC = SPEECH_RATE_HZ // STEP_SAMPLES
STEPS_BEFORE, STEPS_AFTER = 4, 6  # of the step at a frame's start: that step counts as after


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
    return torch.cat(list(frames_of_chunks(chunks, frames=frames, fps=fps)))


def frames_of_chunks(chunks: Iterable[torch.Tensor], *, frames: int, fps: float) -> Iterator[torch.Tensor]:
    """As interpolate_chunks_to_fps, and the frames come in pieces, too.

    Shapes:   chunks, in order, (T_i, D) each, T_i >= 1; yields (F_i, D), `frames` in all
    """
    middle_secs = (torch.arange(frames, dtype=torch.float64) + 0.5) / fps
    place = ((middle_secs * SPEECH_RATE_HZ - STEP_FIELD_SAMPLES / 2) / STEP_SAMPLES).clamp(min=0)
    return _at_places(chunks, place)


def stretch_chunks(chunks: Iterable[torch.Tensor], *, steps: int, frames: int) -> Iterator[torch.Tensor]:
    """Lay steps over frames so that the first meets the first and the last the last.

    Shapes:   chunks, in order, (T_i, C) each, T_i >= 1, `steps` in all; yields (F_i, C), `frames` in all
    Source:   Hallo (arXiv 2406.08801), public code: linear interpolation with align_corners
    """
    return _at_places(chunks, torch.arange(frames, dtype=torch.float64) * (steps - 1) / max(frames - 1, 1))


def _at_places(chunks: Iterable[torch.Tensor], place_F: torch.Tensor) -> Iterator[torch.Tensor]:
    """Interpolate at rising places; those beyond the last step take it. Two chunks are held at most."""
    done = end = 0  # frames found, steps seen
    last: torch.Tensor | None = None
    for chunk_TD in chunks:
        held_TD = chunk_TD if last is None else torch.cat([last, chunk_TD])
        end += len(chunk_TD)
        stop = done + int((place_F[done:] <= end - 1).sum())
        yield _between_steps(held_TD, place_F[done:stop] - (end - len(held_TD)))
        done, last = stop, chunk_TD[-1:]
    assert last is not None, "a sound has at least one step"
    yield last.expand(len(place_F) - done, -1)


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


def windows_of_chunks(chunks: Iterable[torch.Tensor], *, frames: int, fps: float) -> Iterator[torch.Tensor]:
    """Give every frame the ten steps around its start, side by side; the ends repeat their step.

    Shapes:   chunks, in order, (T_i, D) each; yields (F_i, 10 D), `frames` in all: step after step, so that
              with D = levels x width a row is 10 x levels tokens, step-major
    Source:   EchoMimicV2 (arXiv 2411.10061), public code
    Reads:    the step at a frame's start is int(50 f / fps), in floating point as there
    Departs:  ceil(duration x fps) frames as everywhere here; the public code makes one or two more, which
              hear the last step only
    """
    start_F = torch.tensor([int(frame * STEPS_PER_SEC / fps) for frame in range(frames)])
    index_FW = (start_F[:, None] + torch.arange(-STEPS_BEFORE, STEPS_AFTER)).clamp(min=0)
    done = end = 0  # frames found, steps seen
    held_TD: torch.Tensor | None = None
    for chunk_TD in chunks:
        held_TD = chunk_TD if held_TD is None else torch.cat([held_TD, chunk_TD])
        end += len(chunk_TD)
        begin = end - len(held_TD)
        stop = done + int((index_FW[done:, -1] <= end - 1).sum())
        yield held_TD[index_FW[done:stop] - begin].flatten(1)
        done = stop
        held_TD = held_TD[-(STEPS_BEFORE + STEPS_AFTER) :]
    assert held_TD is not None, "a sound has at least one step"
    begin = end - len(held_TD)
    yield held_TD[index_FW[done:].clamp(max=end - 1) - begin].flatten(1)
