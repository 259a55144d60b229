import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cyberhost_core.controls.audio_windows import interpolate_to_fps
from cyberhost_core.errors import AudioError, CheckpointError, ConfigError
from cyberhost_core.perception.hearing import Hearing, hear, joined, load_hearing
from cyberhost_core.perception.speech import SpeechFeatures
from cyberhost_core.perception.whisper import WhisperFeatures

transformers = pytest.importorskip("transformers")

WAV2VEC2: dict[str, Any] = {
    "model_type": "wav2vec2",
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 8,
}
WHISPER: dict[str, Any] = {
    "model_type": "whisper",
    "num_mel_bins": 8,
    "max_source_positions": 60,
    "d_model": 12,
    "encoder_attention_heads": 2,
    "encoder_layers": 2,
    "encoder_ffn_dim": 24,
}
SIZES = {"wav2vec2": (3 + 2) * 16, "wav2vec2_stretched": 3 * 16, "whisper": 10 * (2 + 1) * 12}


def encoder(hearing: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and configuration as a checkpoint holds them."""
    torch.manual_seed(0)
    if hearing == "whisper":
        model = transformers.WhisperModel(transformers.WhisperConfig(**WHISPER)).encoder
        return model.state_dict(), WHISPER
    model = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**WAV2VEC2))
    return model.state_dict(), WAV2VEC2


@pytest.fixture(params=list(SIZES))
def hearing(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def listener(hearing: str) -> Hearing:
    return load_hearing(hearing, *encoder(hearing))


def speech_like(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=int(seconds * 16_000)) * 0.2).astype(np.float32)


@pytest.mark.parametrize(("seconds", "fps"), [(0.01, 25.0), (1.0, 24.0), (2.37, 29.97), (3.0, 60.0)])
def test_every_hearing_gives_one_row_per_frame(
    listener: Hearing, hearing: str, seconds: float, fps: float
) -> None:
    frames = math.ceil(seconds * fps)
    rows = hear(listener, speech_like(seconds), frames=frames, fps=fps)
    assert rows.shape == (frames, listener.size) == (frames, SIZES[hearing])
    assert rows.dtype == torch.float16
    assert torch.isfinite(rows).all()


def test_whisper_rows_unfold_into_the_steps_and_levels_around_the_frames_start() -> None:
    listener = load_hearing("whisper", *encoder("whisper"))
    assert isinstance(listener.speech, WhisperFeatures)
    wave = speech_like(3)  # two and a half of this encoder's pieces
    tokens = hear(listener, wave, frames=72, fps=24).unflatten(1, (10, 3, 12))
    steps = listener.speech.extract(wave).unflatten(1, (3, 12)).half()
    assert len(steps) == 150
    for frame, offset in [(0, 4), (0, 0), (30, 0), (30, 9), (71, 4), (71, 9)]:
        step = min(max(int(frame * 50 / 24) - 4 + offset, 0), 149)
        assert torch.equal(tokens[frame, offset], steps[step])


def test_plain_wav2vec2_is_heard_as_it_was_before_there_were_others() -> None:
    listener = load_hearing("wav2vec2", *encoder("wav2vec2"))
    assert isinstance(listener.speech, SpeechFeatures)
    wave = speech_like(1.3)
    expected = interpolate_to_fps(listener.speech.extract(wave), frames=33, fps=25).half()
    assert torch.equal(hear(listener, wave, frames=33, fps=25), expected)


def test_a_file_without_a_model_type_is_wav2vec2() -> None:
    state, config = encoder("wav2vec2")
    del (config := dict(config))["model_type"]
    assert load_hearing("wav2vec2", state, config).size == SIZES["wav2vec2"]


def test_the_caller_can_stop_between_pieces(listener: Hearing) -> None:
    heard: list[int] = []

    def stop_at_the_second() -> None:
        heard.append(1)
        if len(heard) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        hear(listener, speech_like(70), frames=1750, fps=25, on_piece=stop_at_the_second)
    assert len(heard) == 2


def test_rows_in_pieces_are_the_rows_at_once(listener: Hearing) -> None:
    wave = speech_like(45)
    pieces = list(listener.frame_pieces(wave, frames=1125, fps=25))
    assert len(pieces) > 1
    assert torch.equal(torch.cat(pieces).half(), hear(listener, wave, frames=1125, fps=25))


def test_a_piece_without_rows_does_no_harm() -> None:
    pieces = [torch.zeros(0, 2), torch.ones(2, 2), torch.zeros(0, 2), torch.full((1, 2), 2.0)]
    assert joined(pieces, frames=3).tolist() == [[1, 1], [1, 1], [2, 2]]


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (lambda: np.zeros(0, np.float32), r"shape \[0\]"),
        (lambda: np.zeros((2, 800), np.float32), r"shape \[2, 800\]"),
        (lambda: np.full(800, np.nan, np.float32), "not finite"),
    ],
)
def test_an_unusable_sound_is_refused(
    listener: Hearing, wave: Callable[[], np.ndarray], message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        hear(listener, wave(), frames=1, fps=25)


@pytest.mark.parametrize(("hearing", "holds"), [("whisper", "wav2vec2"), ("wav2vec2_stretched", "whisper")])
def test_an_encoder_of_another_kind_is_refused(hearing: str, holds: str) -> None:
    needed = hearing.removesuffix("_stretched")
    with pytest.raises(CheckpointError, match=f"is a '{holds}', but its system's .* needs a '{needed}'"):
        load_hearing(hearing, *encoder(holds))


def test_an_unknown_hearing_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="'hubert', but one of wav2vec2, wav2vec2_stretched, whisper"):
        load_hearing("hubert", {}, {})
