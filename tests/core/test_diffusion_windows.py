import json
import weakref
from pathlib import Path

import pytest
import torch

from cyberhost_core.diffusion.windows import average, windows
from cyberhost_core.errors import ConfigError

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "hearing" / "indices.json").read_text())
# Left out: windows of every second frame. EchoMimicV2 and Moore-AnimateAnyone both run with stride 1.
LEFT_OUT = [case for case in RECORDED["uniform"] if case["stride"] > 1]
UNIFORM = [case for case in RECORDED["uniform"] if case["stride"] == 1]


def test_only_the_case_of_every_second_frame_is_left_out() -> None:
    assert [(case["num_frames"], case["stride"]) for case in LEFT_OUT] == [(40, 2)]
    assert len(UNIFORM) == 8
    assert all(case["step"] == 0 and case["closed_loop"] for case in UNIFORM)


def name_of(case: dict) -> str:
    return f"{case['num_frames']}-{case['context_size']}-{case['overlap']}-{case.get('step_index', 0)}"


@pytest.mark.parametrize("case", UNIFORM, ids=name_of)
def test_fixed_windows_are_the_public_ones(case: dict) -> None:
    found = windows(case["num_frames"], size=case["context_size"], overlap=case["overlap"])
    assert [list(window) for window in found] == case["windows"]


@pytest.mark.parametrize("case", RECORDED["rotated"], ids=name_of)
def test_rotating_windows_are_the_public_ones(case: dict) -> None:
    found = windows(
        case["num_frames"],
        size=case["context_size"],
        overlap=case["overlap"],
        shift=case["step_index"] * case["overlap"],
    )
    assert [list(window) for window in found] == case["windows"]


@pytest.mark.parametrize("frames", [1, 5, 12, 13, 21, 30, 31, 100])
@pytest.mark.parametrize(("size", "overlap"), [(12, 3), (24, 4), (12, 0), (2, 1)])
@pytest.mark.parametrize("shift", [0, 3, 97])
def test_every_frame_is_in_a_window_and_never_twice_in_one(
    frames: int, size: int, overlap: int, shift: int
) -> None:
    found = windows(frames, size=size, overlap=overlap, shift=shift)
    assert {frame for window in found for frame in window} == set(range(frames))
    assert {len(window) for window in found} == {min(size, frames)}
    assert all(len(set(window)) == len(window) for window in found)


@pytest.mark.parametrize("overlap", [12, 13, -1])
def test_an_overlap_that_leaves_nothing_is_refused(overlap: int) -> None:
    with pytest.raises(ConfigError, match=f"overlap by {overlap}, but 0 to 11 was expected"):
        windows(30, size=12, overlap=overlap)


@pytest.mark.parametrize("shift", [0, 3, 6])
def test_the_average_equals_a_loop_over_windows_and_frames(shift: int) -> None:
    frames, cut = 30, windows(30, shift=shift)
    predictions = [torch.randn(12, 4, 3, 2) for _ in cut]
    expected = torch.zeros(frames, 4, 3, 2)
    for frame in range(frames):
        heard = [
            prediction[window.index(frame)]
            for prediction, window in zip(predictions, cut, strict=True)
            if frame in window
        ]
        expected[frame] = sum(heard) / len(heard)
    torch.testing.assert_close(average(predictions, over=cut, frames=frames), expected)


def test_windows_that_agree_give_their_own_prediction() -> None:
    clip = torch.randn(50, 4)
    cut = windows(50, size=24, overlap=4)
    torch.testing.assert_close(average((clip[list(window)] for window in cut), over=cut, frames=50), clip)


def test_predictions_are_made_one_at_a_time() -> None:
    made: list[weakref.ref[torch.Tensor]] = []

    def predict(window: tuple[int, ...]) -> torch.Tensor:
        assert sum(prediction() is not None for prediction in made) <= 1
        prediction = torch.ones(len(window), 1)
        made.append(weakref.ref(prediction))
        return prediction

    cut = windows(100)
    average((predict(window) for window in cut), over=cut, frames=100)
    assert len(made) == len(cut) == 12


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_average_keeps_the_predictions_dtype(dtype: torch.dtype) -> None:
    cut = windows(13)
    assert average([torch.ones(12, 2, dtype=dtype)] * len(cut), over=cut, frames=13).dtype == dtype
