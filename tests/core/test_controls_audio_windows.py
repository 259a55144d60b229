import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cyberhost_core.controls.audio_windows import (
    interpolate_chunks_to_fps,
    interpolate_to_fps,
    stretch_chunks,
    windows,
    windows_of_chunks,
)

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "hearing" / "indices.json").read_text())
WHISPER_CASES = RECORDED["whisper_idx"]


@pytest.mark.parametrize("fps", [25.0, 29.97, 24.0, 60.0])
@pytest.mark.parametrize("steps", [1, 3, 49, 157])
def test_interpolation_equals_a_loop_over_frame_and_step_centres(fps: float, steps: int) -> None:
    hidden = torch.randn(steps, 4)
    frames = int(steps / 50 * fps) + 3
    centre_secs = [(320 * step + 200) / 16_000 for step in range(steps)]
    expected = np.stack(
        [
            [np.interp((frame + 0.5) / fps, centre_secs, hidden[:, channel].numpy()) for channel in range(4)]
            for frame in range(frames)
        ]
    )
    result = interpolate_to_fps(hidden, frames=frames, fps=fps)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)


def test_a_click_shows_in_the_frame_during_which_it_sounds() -> None:
    hidden = torch.zeros(200, 1)
    click_step = 101  # its centre is at 2.0325 s: frame 50 runs from 2.00 to 2.04 s
    hidden[click_step] = 1
    assert int(interpolate_to_fps(hidden, frames=100, fps=25).argmax()) == 50


def test_alignment_does_not_drift_with_the_length_of_the_sound() -> None:
    hidden = torch.randn(1000, 2)
    short = interpolate_to_fps(hidden[:200], frames=90, fps=25)
    long = interpolate_to_fps(hidden, frames=450, fps=25)
    torch.testing.assert_close(short, long[:90])


@pytest.mark.parametrize("cuts", [[1], [50, 51, 99], [7, 8, 9, 150]])
@pytest.mark.parametrize("frames", [60, 75, 90])
def test_steps_in_pieces_give_the_same_frames_as_the_whole(cuts: list[int], frames: int) -> None:
    hidden = torch.randn(151, 3)
    pieces = hidden.tensor_split(cuts)
    whole = interpolate_to_fps(hidden, frames=frames, fps=25)
    assert torch.equal(interpolate_chunks_to_fps(pieces, frames=frames, fps=25), whole)


def test_interpolation_keeps_dtype() -> None:
    assert interpolate_to_fps(torch.randn(9, 2).half(), frames=4, fps=25).dtype == torch.float16


def test_the_middle_of_a_window_is_its_frame() -> None:
    features = torch.randn(7, 3)
    torch.testing.assert_close(windows(features)[:, 2], features)


def test_windows_take_no_memory_of_their_own_beyond_the_repeated_ends() -> None:
    features = torch.randn(100, 64)
    storage = windows(features).untyped_storage().nbytes()
    assert storage == (100 + 4) * 64 * 4


def test_windows_accept_a_single_frame() -> None:
    features = torch.randn(1, 3)
    torch.testing.assert_close(windows(features), features.expand(5, 3)[None])


def in_pieces(steps_TD: torch.Tensor, cuts: list[int]) -> tuple[torch.Tensor, ...]:
    return steps_TD.tensor_split(cuts)


@pytest.mark.parametrize("case", WHISPER_CASES, ids=lambda case: str(case["fps"]))
@pytest.mark.parametrize("cuts", [[], [10, 20, 30], [1, 2, 39]])
def test_tokens_around_a_frames_start_are_the_public_ones(case: dict, cuts: list[int]) -> None:
    steps, levels, fps = case["steps"], case["levels"], case["fps"]
    numbered = torch.arange(steps * levels, dtype=torch.float32).reshape(steps, levels)
    for frames in (len(case["tokens"]), math.ceil(steps / 50 * fps)):
        found = torch.cat(list(windows_of_chunks(in_pieces(numbered, cuts), frames=frames, fps=fps)))
        assert found.tolist() == case["tokens"][:frames]
    assert len(case["tokens"]) - math.ceil(steps / 50 * fps) in (1, 2), (
        "the peer makes one or two frames more"
    )


@pytest.mark.parametrize(("steps", "cuts"), [(1, []), (3, [1, 2]), (157, [1, 50, 151])])
@pytest.mark.parametrize("fps", [23.976, 25.0, 60.0, 120.0])
def test_windows_of_chunks_equal_a_loop_over_frames(steps: int, cuts: list[int], fps: float) -> None:
    hidden = torch.randn(steps, 3)
    frames = math.ceil(steps / 50 * fps) + 2
    expected = torch.stack(
        [
            torch.cat([hidden[min(max(int(f * 50 / fps) + k, 0), steps - 1)] for k in range(-4, 6)])
            for f in range(frames)
        ]
    )
    pieces = list(windows_of_chunks(in_pieces(hidden, cuts), frames=frames, fps=fps))
    assert torch.equal(torch.cat(pieces), expected)


@pytest.mark.parametrize(("steps", "cuts"), [(1, []), (2, [1]), (49, [7, 8, 30]), (300, [100, 200])])
@pytest.mark.parametrize("frames", [1, 2, 26, 75, 400])
def test_stretching_equals_torchs_own_interpolation(steps: int, cuts: list[int], frames: int) -> None:
    heard = torch.randn(steps, 3, dtype=torch.float64)
    expected = torch.nn.functional.interpolate(heard.T[None], size=frames, mode="linear", align_corners=True)[
        0
    ].T
    found = torch.cat(list(stretch_chunks(in_pieces(heard, cuts), steps=steps, frames=frames)))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_frames_come_as_soon_as_their_steps_are_there() -> None:
    hidden = torch.randn(300, 2)
    lengths = [len(piece) for piece in windows_of_chunks(hidden.split(100), frames=150, fps=25)]
    assert lengths == [48, 50, 50, 2]  # frame f needs steps up to 2 f + 5
