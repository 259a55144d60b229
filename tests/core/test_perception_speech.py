import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cyberhost_core.errors import AudioError, CheckpointError, MissingExtraError
from cyberhost_core.perception import speech
from cyberhost_core.perception.speech import SpeechFeatures

transformers = pytest.importorskip("transformers")

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 8,
}


def small_model(**changes: Any) -> Any:
    torch.manual_seed(0)
    return transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**{**SMALL, **changes})).eval()


def speech_like(seconds: float) -> np.ndarray:
    """Bursts of noise, so that no stretch is like another."""
    samples = int(seconds * 16_000)
    rng = np.random.default_rng(0)
    loudness = np.interp(np.arange(samples), np.linspace(0, samples, 40), rng.random(40))
    return (loudness * rng.normal(size=samples) * 0.2 + 0.05).astype(np.float32)


def normalised(wave: np.ndarray) -> torch.Tensor:
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    return extractor(wave, sampling_rate=16_000, return_tensors="pt").input_values


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_short_sound_equals_transformers_own_hidden_states(norm: str) -> None:
    model = small_model(feat_extract_norm=norm, conv_bias=norm == "layer")
    wave = speech_like(1.3)
    with torch.no_grad():
        output = model(normalised(wave), output_hidden_states=True)
    expected = torch.cat([*output.hidden_states, output.last_hidden_state], dim=-1)[0]
    result = SpeechFeatures(model).extract(wave)
    assert result.shape == (64, (3 + 2) * 16)
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


def test_normalisation_can_be_switched_off() -> None:
    model = small_model()
    wave = torch.from_numpy(speech_like(0.5))
    with torch.no_grad():
        expected = model(wave[None]).last_hidden_state[0]
    result = SpeechFeatures(model, do_normalize=False).extract(wave)
    torch.testing.assert_close(result[:, -16:], expected, atol=1e-4, rtol=1e-4)


def test_loudness_and_offset_do_not_matter() -> None:
    features = SpeechFeatures(small_model())
    wave = speech_like(0.5)
    torch.testing.assert_close(features.extract(wave), features.extract(wave * 3 - 0.5), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_convolutions_in_pieces_equal_the_whole(norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(feat_extract_norm=norm)
    wave = normalised(speech_like(3.1))
    with torch.no_grad():
        whole = model.feature_extractor(wave)[0].T
        monkeypatch.setattr(speech, "_CONV_STEPS", 37)
        layers = list(model.feature_extractor.conv_layers)
        pieces = list(speech._convolve(layers, wave[0], steps=len(whole), prepare=lambda piece: piece))
    assert max(map(len, pieces)) == 37
    torch.testing.assert_close(torch.cat(pieces), whole, atol=1e-4, rtol=1e-4)


def test_chunks_equal_the_whole_up_to_attention_beyond_the_context() -> None:
    model = small_model()
    wave = speech_like(6)
    whole = SpeechFeatures(model).extract(wave)
    chunked = SpeechFeatures(model, chunk_secs=1.5, context_secs=1.0).extract(wave)
    assert chunked.shape == whole.shape
    assert torch.nn.functional.cosine_similarity(chunked, whole, dim=-1).min() > 0.99
    # the first hidden state has not been through attention: only its convolutions, which reach 8 steps
    torch.testing.assert_close(chunked[:, :16], whole[:, :16], atol=1e-3, rtol=1e-3)


def test_chunks_equal_the_whole_exactly_when_attention_is_silent() -> None:
    model = small_model()
    for layer in model.encoder.layers:
        torch.nn.init.zeros_(layer.attention.out_proj.weight)
    wave = speech_like(6)
    whole = SpeechFeatures(model).extract(wave)
    chunked = SpeechFeatures(model, chunk_secs=1.5, context_secs=1.0).extract(wave)
    torch.testing.assert_close(chunked, whole, atol=1e-4, rtol=1e-4)


def test_chunks_come_one_by_one_and_without_gaps() -> None:
    features = SpeechFeatures(small_model(), chunk_secs=1.0, context_secs=0.5)
    lengths = [len(chunk) for chunk in features.extract_chunks(speech_like(5.5))]
    assert lengths == [50, 50, 50, 50, 50, 24]


@pytest.mark.parametrize(
    ("samples", "steps"), [(1, 1), (399, 1), (400, 1), (720, 2), (1600, 4), (16_000, 49)]
)
def test_every_length_gives_its_steps(samples: int, steps: int) -> None:
    assert len(SpeechFeatures(small_model()).extract(speech_like(1)[:samples])) == steps


def test_a_model_in_half_precision_gives_float32_features_close_to_the_full_ones() -> None:
    # One group: with 8 channels in each of two, torch's own convolution in bfloat16 is wrong on processors
    # with AMX (cosine to float32 0.05; with 16 channels or more, as every published model has, 0.99999).
    wave, sizes = speech_like(0.5), {"num_conv_pos_embedding_groups": 1}
    full = SpeechFeatures(small_model(**sizes)).extract(wave)
    half = SpeechFeatures(small_model(**sizes).bfloat16()).extract(wave)
    assert half.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(half, full, dim=-1).min() > 0.99


def test_without_transformers_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="Loading wav2vec2 needs the package 'transformers'"):
        SpeechFeatures.from_state_dict({}, SMALL)


def test_silence_gives_finite_features() -> None:
    assert torch.isfinite(SpeechFeatures(small_model()).extract(np.zeros(8000, np.float32))).all()


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.zeros(0, np.float32), r"shape \[0\]"),
        (np.zeros((2, 100), np.float32), r"shape \[2, 100\]"),
        (np.array([0.1, np.nan], np.float32), "not finite"),
    ],
)
def test_an_unusable_sound_is_refused(wave: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        SpeechFeatures(small_model()).extract(wave)


def test_a_state_dict_of_a_model_with_a_head_loads_in_both_spellings_of_weight_norm() -> None:
    model = small_model()
    state = {f"wav2vec2.{name}": weight.half() for name, weight in model.state_dict().items()}
    state["lm_head.weight"] = torch.zeros(8, 16)
    old = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): weight
        for name, weight in state.items()
    }
    assert old.keys() != state.keys()
    wave = speech_like(0.4)
    expected = SpeechFeatures(model).extract(wave)
    for spelling in (state, old):
        result = SpeechFeatures.from_state_dict(spelling, SMALL).extract(wave)
        torch.testing.assert_close(result, expected, atol=2e-2, rtol=2e-2)


def test_a_folder_loads_with_its_normalisation_flag(tmp_path: Path) -> None:
    model = small_model()
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False}), encoding="utf-8")
    wave = speech_like(0.4)
    result = SpeechFeatures.from_folder(tmp_path).extract(wave)
    torch.testing.assert_close(result, SpeechFeatures(model, do_normalize=False).extract(wave))


def test_weights_of_another_size_are_refused() -> None:
    with pytest.raises(CheckpointError, match="do not fit their configuration"):
        SpeechFeatures.from_state_dict(small_model().state_dict(), {**SMALL, "hidden_size": 32})


def test_missing_weights_are_refused() -> None:
    state = small_model().state_dict()
    del state["encoder.layer_norm.weight"]
    with pytest.raises(CheckpointError, match=r"1 missing, 0 unknown, first 'encoder\.layer_norm\.weight'"):
        SpeechFeatures.from_state_dict(state, SMALL)


def test_an_empty_folder_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        SpeechFeatures.from_folder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read"):
        SpeechFeatures.from_folder(tmp_path)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckpointError, match="is damaged"):
        SpeechFeatures.from_folder(tmp_path)
