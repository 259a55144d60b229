import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cyberhost_core.controls.audio_windows import windows
from cyberhost_core.errors import AudioError
from cyberhost_core.perception.speech import SpeechFeatures
from cyberhost_core.perception.stretched_speech import StretchedSpeech

transformers = pytest.importorskip("transformers")

FIXTURE = Path(__file__).parent / "fixtures" / "hearing" / "wav2vec2_stretched"
CONFIG: dict[str, Any] = json.loads(FIXTURE.with_suffix(".json").read_text())["config"]


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    return load_file(FIXTURE.with_suffix(".safetensors"))


def stretched(recorded: dict[str, Tensor], **settings: float) -> StretchedSpeech:
    """The recorded network; its sounds are normalised already."""
    state = {name: weight for name, weight in recorded.items() if not name.startswith("io.")}
    model = SpeechFeatures.from_state_dict(state, CONFIG).model
    return StretchedSpeech(SpeechFeatures(model, do_normalize=False, **settings))


def describe(speech: StretchedSpeech, wave_T: Tensor, *, frames: int, fps: float = 25) -> Tensor:
    return torch.cat(list(speech.frame_pieces(wave_T, frames=frames, fps=fps)))


def speech_like(seconds: float) -> Tensor:
    samples = int(seconds * 16_000)
    rng = np.random.default_rng(0)
    loudness = np.interp(np.arange(samples), np.linspace(0, samples, 40), rng.random(40))
    return torch.from_numpy((loudness * rng.normal(size=samples)).astype(np.float32))


def test_features_and_windows_equal_the_recorded_ones(recorded: dict[str, Tensor]) -> None:
    """The bound is what float32 leaves here: the recording itself is 5e-6 away from float64."""
    frames, layers, width = recorded["io.audio_emb"].shape
    found = describe(stretched(recorded), recorded["io.wav"][0], frames=frames)
    assert found.shape == (frames, layers * width)
    torch.testing.assert_close(found, recorded["io.audio_emb"].flatten(1), atol=1.5e-5, rtol=0)
    torch.testing.assert_close(windows(found), recorded["io.windows"].flatten(2), atol=1.5e-5, rtol=0)


class Interpolated(nn.Module):
    def __init__(self, convolutions: nn.Module, frames: int) -> None:
        super().__init__()
        self.convolutions, self.frames = convolutions, frames

    def forward(self, wave_BT: Tensor) -> Tensor:
        heard = self.convolutions(wave_BT)
        return nn.functional.interpolate(heard, size=self.frames, mode="linear", align_corners=True)


@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("frames", [25, 31])
def test_a_short_sound_equals_the_whole_at_once(stable: bool, frames: int) -> None:
    """As the public code does it: between the convolutions and the rest of transformers' own model.

    The last state is taken from the output: for a stable network transformers' own list varies by version.
    """
    torch.manual_seed(0)
    config = {**CONFIG, "do_stable_layer_norm": stable, "attn_implementation": None}
    model = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**config)).eval()
    wave = speech_like(1)
    normalised = (wave - wave.mean()) / torch.sqrt(wave.var(correction=0) + 1e-7)
    plain = StretchedSpeech(SpeechFeatures(copy.deepcopy(model)))
    model.feature_extractor = Interpolated(model.feature_extractor, frames)
    with torch.no_grad():
        output = model(normalised[None], output_hidden_states=True)
    expected = torch.cat([*output.hidden_states[1:-1], output.last_hidden_state], dim=-1)[0]
    found = describe(plain, wave, frames=frames)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_pieces_equal_the_whole_exactly_when_attention_is_silent(recorded: dict[str, Tensor]) -> None:
    whole = stretched(recorded)
    pieces = stretched(recorded, chunk_secs=1.5, context_secs=1.0)
    for speech in (whole, pieces):
        for layer in speech.speech.model.encoder.layers:
            torch.nn.init.zeros_(layer.attention.out_proj.weight)
    wave = speech_like(6.03)
    expected = describe(whole, wave, frames=151)
    found = list(pieces.frame_pieces(wave, frames=151, fps=25))
    assert [len(piece) for piece in found] == [38, 38, 38, 37]
    torch.testing.assert_close(torch.cat(found), expected, atol=1e-4, rtol=1e-4)


def test_pieces_equal_the_whole_up_to_attention_beyond_the_context(recorded: dict[str, Tensor]) -> None:
    wave = speech_like(6)
    whole = describe(stretched(recorded), wave, frames=150)
    pieces = describe(stretched(recorded, chunk_secs=1.5, context_secs=1.0), wave, frames=150)
    assert pieces.shape == whole.shape
    assert torch.nn.functional.cosine_similarity(pieces, whole, dim=-1).min() > 0.98


def test_half_a_minute_is_still_heard_whole_and_more_is_not(recorded: dict[str, Tensor]) -> None:
    speech = stretched(recorded)
    assert [len(piece) for piece in speech.frame_pieces(speech_like(30), frames=750, fps=25)] == [750]
    assert [len(piece) for piece in speech.frame_pieces(speech_like(31), frames=775, fps=25)] == [500, 275]


@pytest.mark.parametrize("samples", [1, 399, 400, 720, 16_000])
@pytest.mark.parametrize(("frames", "fps"), [(1, 25.0), (2, 1.0), (61, 60.0)])
def test_every_length_gives_its_frames(
    recorded: dict[str, Tensor], samples: int, frames: int, fps: float
) -> None:
    speech = stretched(recorded)
    found = describe(speech, speech_like(1)[:samples], frames=frames, fps=fps)
    assert found.shape == (frames, speech.size) == (frames, 3 * 16)
    assert torch.isfinite(found).all()


def test_wav2vec2_base_gives_twelve_layers_of_768() -> None:
    with torch.device("meta"):
        model = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config())
    assert StretchedSpeech(SpeechFeatures(model)).size == 12 * 768


@pytest.mark.parametrize(
    ("wave", "message"),
    [(torch.zeros(0), r"shape \[0\]"), (torch.tensor([0.1, torch.nan]), "not finite")],
)
def test_an_unusable_sound_is_refused(recorded: dict[str, Tensor], wave: Tensor, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        describe(stretched(recorded), wave, frames=1)
