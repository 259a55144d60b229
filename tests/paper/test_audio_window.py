"""The audio input of CyberHost (appendix E): features of 10752, windows of 5 frames."""

import pytest
import torch

from cyberhost_core.controls.audio_windows import windows
from cyberhost_core.perception.speech import SpeechFeatures


def test_wav2vec2_base_gives_10752_values_per_step() -> None:
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        model = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config())
    assert SpeechFeatures(model).size == 14 * 768 == 10752


def test_a_window_holds_two_frames_before_and_two_after() -> None:
    features = torch.randn(9, 10)
    expected = torch.zeros(9, 5, 10)
    for frame in range(9):
        for place, neighbour in enumerate(range(frame - 2, frame + 3)):
            expected[frame, place] = features[min(max(neighbour, 0), 8)]
    torch.testing.assert_close(windows(features), expected)


def test_the_input_of_a_frame_is_5_by_10752() -> None:
    assert windows(torch.zeros(3, 10752)).shape == (3, 5, 10752)
