import numpy as np
import pytest
import torch

from cyberhost_core.conditions.audio_windows import interpolate_chunks_to_fps, interpolate_to_fps, windows


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
