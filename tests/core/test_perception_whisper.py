import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from cyberhost_core.errors import AudioError, CheckpointError, MissingExtraError
from cyberhost_core.perception.log_mel import log_mel_chunks
from cyberhost_core.perception.whisper import WhisperFeatures
from cyberhost_core.perception.whisper_file import config_of_openai, rename_openai

transformers = pytest.importorskip("transformers")

SMALL = config_of_openai(
    {"n_mels": 8, "n_audio_ctx": 20, "n_audio_state": 16, "n_audio_head": 2, "n_audio_layer": 3}
)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    return load_file(Path(__file__).parent / "fixtures" / "hearing" / "whisper.safetensors")


@pytest.fixture(scope="module")
def state(recorded: dict[str, Tensor]) -> dict[str, Tensor]:
    """The recorded weights under Hugging Face's names."""
    named = {rename_openai(name): weight for name, weight in recorded.items() if name.startswith("encoder.")}
    return {name: weight for name, weight in named.items() if name is not None}


@pytest.fixture
def features(state: dict[str, Tensor]) -> WhisperFeatures:
    return WhisperFeatures.from_state_dict(state, SMALL)


def speech_like(seconds: float) -> Tensor:
    """Bursts of noise, so that no stretch is like another."""
    samples = int(seconds * 16_000)
    rng = np.random.default_rng(0)
    loudness = np.interp(np.arange(samples), np.linspace(0, samples, 40), rng.random(40))
    return torch.from_numpy((loudness * rng.normal(size=samples) * 0.2).astype(np.float32))


def plain_log_mel(wave_T: Tensor, *, mels: int) -> Tensor:
    """The whole sound at once, by transformers' own filters; mirrored by torch."""
    extractor = transformers.WhisperFeatureExtractor(feature_size=mels)
    spectra = torch.stft(wave_T, 400, 160, window=torch.hann_window(400), return_complex=True)
    power = torch.from_numpy(extractor.mel_filters.T).float() @ spectra[:, :-1].abs() ** 2
    decades = power.clamp(min=1e-10).log10()
    return (torch.maximum(decades, decades.max() - 8) + 4) / 4


def test_levels_equal_the_recorded_ones(features: WhisperFeatures, recorded: dict[str, Tensor]) -> None:
    found = features.encode(recorded["io.mel"][0])
    assert found.shape == (20, 4, 16)
    torch.testing.assert_close(found, recorded["io.embeddings"][0].transpose(0, 1), atol=5e-6, rtol=0)


def test_the_last_level_has_not_been_through_the_closing_normalisation(
    features: WhisperFeatures, recorded: dict[str, Tensor]
) -> None:
    last = features.encode(recorded["io.mel"][0])[:, -1]
    closed = recorded["io.final_after_ln_post"][0]
    assert (last - closed).abs().max() > 0.5
    torch.testing.assert_close(features.model.layer_norm(last), closed, atol=5e-6, rtol=0)


@pytest.mark.parametrize("chunk", [1, 2, 17, 100, 3000])
def test_log_mel_equals_the_recorded_one_in_any_pieces(chunk: int, recorded: dict[str, Tensor]) -> None:
    pieces = list(log_mel_chunks(recorded["io.wav"], mels=80, chunk=chunk))
    assert max(piece.shape[1] for piece in pieces) == min(chunk, 100)
    torch.testing.assert_close(torch.cat(pieces, dim=1), recorded["io.log_mel"], atol=5e-6, rtol=0)


@pytest.mark.parametrize("samples", [400, 479, 480, 16_000, 31_999])
def test_log_mel_of_any_length_equals_the_plain_formula(samples: int) -> None:
    wave = speech_like(2)[:samples]
    found = torch.cat(list(log_mel_chunks(wave, mels=80, chunk=50)), dim=1)
    torch.testing.assert_close(found, plain_log_mel(wave, mels=80), atol=5e-5, rtol=0)


def test_the_loudest_moment_of_the_whole_sound_sets_the_floor_of_all_of_it() -> None:
    wave = speech_like(2) * 1e-4
    quiet_alone = torch.cat(list(log_mel_chunks(wave[:16_000], mels=80, chunk=40)), dim=1)
    wave[30_000:] *= 1e4
    beginning = torch.cat(list(log_mel_chunks(wave, mels=80, chunk=40)), dim=1)[:, :90]
    assert (beginning > quiet_alone[:, :90] + 0.1).any(), "raised to eight decades below what comes later"
    assert beginning.min() > quiet_alone[:, :90].min() + 0.1


def test_a_sound_longer_than_the_encoder_is_heard_in_pieces_filled_up_with_zero_mel(
    features: WhisperFeatures,
) -> None:
    """A naive loop: the whole log-mel, 40 spectra at a time (0.4 s), the rest 0.0, half as many steps."""
    wave = speech_like(1.07)
    mel = plain_log_mel(wave, mels=8)
    expected = []
    for start in range(0, mel.shape[1], 40):
        piece = mel[:, start : start + 40]
        filled = torch.zeros(8, 40)
        filled[:, : piece.shape[1]] = piece
        expected.append(features.encode(filled)[: piece.shape[1] // 2].flatten(1))
    pieces = list(features.extract_chunks(wave))
    assert [len(piece) for piece in pieces] == [20, 20, 13]
    torch.testing.assert_close(torch.cat(pieces), torch.cat(expected), atol=1e-4, rtol=0)
    silent_end = torch.nn.functional.pad(wave, (0, 2 * 16_000))
    assert (features.extract(silent_end)[40:53] - pieces[-1]).abs().max() > 1e-2, "0.0 is not silence"


def test_all_but_the_last_level_are_transformers_own_hidden_states(features: WhisperFeatures) -> None:
    mel = torch.randn(8, 40)
    with torch.no_grad():
        output = features.model(mel[None], output_hidden_states=True)
    expected = torch.stack(output.hidden_states[:-1], dim=2)[0]
    torch.testing.assert_close(features.encode(mel)[:, :-1], expected, atol=5e-6, rtol=0)


@pytest.mark.parametrize(
    ("samples", "steps"), [(1, 1), (399, 1), (400, 1), (640, 2), (6400, 20), (6720, 21), (16_000, 50)]
)
def test_every_length_gives_its_steps(features: WhisperFeatures, samples: int, steps: int) -> None:
    found = features.extract(speech_like(1)[:samples])
    assert found.shape == (steps, features.size) == (steps, 4 * 16)
    assert torch.isfinite(found).all()


def test_silence_gives_finite_features(features: WhisperFeatures) -> None:
    assert torch.isfinite(features.extract(torch.zeros(8000))).all()


def test_a_model_in_half_precision_gives_float32_features_close_to_the_full_ones(
    features: WhisperFeatures,
) -> None:
    wave = speech_like(0.5)
    full = features.extract(wave)
    half = WhisperFeatures(features.model.bfloat16()).extract(wave)
    assert half.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(half, full, dim=-1).min() > 0.99


def test_whisper_tiny_has_five_levels_of_384() -> None:
    with torch.device("meta"):
        config = transformers.WhisperConfig(d_model=384, encoder_layers=4, encoder_attention_heads=6)
        model = transformers.WhisperModel(config).encoder
    assert WhisperFeatures(model).size == 5 * 384


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.zeros(0, np.float32), r"shape \[0\]"),
        (np.zeros((2, 1000), np.float32), r"shape \[2, 1000\]"),
        (np.array([0.1, np.nan], np.float32), "not finite"),
        (np.array([0.1, np.inf], np.float32), "not finite"),
    ],
)
def test_an_unusable_sound_is_refused(features: WhisperFeatures, wave: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        features.extract(wave)


def test_openais_names_become_exactly_hugging_faces(
    recorded: dict[str, Tensor], state: dict[str, Tensor], features: WhisperFeatures
) -> None:
    openai = [name for name in recorded if name.startswith("encoder.")]
    assert len(state) == len(openai), "no two names become one"
    assert {name: weight.shape for name, weight in state.items()} == {
        name: weight.shape for name, weight in features.model.state_dict().items()
    }


@pytest.mark.parametrize("name", ["decoder.blocks.0.attn.query.weight", "decoder.ln.bias", "decoder.mask"])
def test_openais_decoder_is_left_out(name: str) -> None:
    assert rename_openai(name) is None


@pytest.mark.parametrize("prefix", ["", "encoder.", "model.encoder."])
def test_weights_load_with_the_names_of_every_whisper_class(
    prefix: str, state: dict[str, Tensor], features: WhisperFeatures
) -> None:
    file = {f"{prefix}{name}": weight.half() for name, weight in state.items()}
    file |= {"model.decoder.layer_norm.weight": torch.zeros(4), "proj_out.weight": torch.zeros(4, 4)}
    found = WhisperFeatures.from_state_dict(file, SMALL).extract(speech_like(0.3))
    torch.testing.assert_close(found, features.extract(speech_like(0.3)), atol=2e-2, rtol=2e-2)


def test_the_encoder_of_a_downloaded_folder_loads(tmp_path: Path) -> None:
    config = transformers.WhisperConfig.from_dict(
        {**SMALL, "vocab_size": 8, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 16,
         "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3}
    )  # fmt: skip
    torch.manual_seed(0)
    whole = transformers.WhisperForConditionalGeneration(config).eval()
    whole.save_pretrained(tmp_path)
    expected = WhisperFeatures(whole.model.encoder).extract(speech_like(0.5))
    torch.testing.assert_close(WhisperFeatures.from_folder(tmp_path).extract(speech_like(0.5)), expected)


def test_weights_of_another_size_are_refused(state: dict[str, Tensor]) -> None:
    with pytest.raises(CheckpointError, match="The Whisper weights do not fit their configuration"):
        WhisperFeatures.from_state_dict(state, {**SMALL, "d_model": 32})


def test_a_missing_and_an_unknown_weight_are_named(state: dict[str, Tensor]) -> None:
    without = {name: weight for name, weight in state.items() if name != "layers.1.fc1.bias"}
    with pytest.raises(CheckpointError, match=r"1 missing, 0 unknown, first 'layers\.1\.fc1\.bias'"):
        WhisperFeatures.from_state_dict(without, SMALL)
    with pytest.raises(CheckpointError, match=r"0 missing, 1 unknown, first 'layers\.9\.fc1\.bias'"):
        WhisperFeatures.from_state_dict({**state, "layers.9.fc1.bias": torch.zeros(64)}, SMALL)


def test_an_empty_folder_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"There is no file .* a Whisper folder"):
        WhisperFeatures.from_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(SMALL), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="is damaged"):
        WhisperFeatures.from_folder(tmp_path)


def test_without_transformers_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="Loading Whisper needs the package 'transformers'"):
        WhisperFeatures.from_state_dict({}, SMALL)


def test_the_configuration_speaks_of_the_encoder_alone() -> None:
    dims: dict[str, Any] = {"n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 384, "n_audio_head": 6}
    config = transformers.WhisperConfig.from_dict(config_of_openai({**dims, "n_audio_layer": 4}))
    assert (config.num_mel_bins, config.max_source_positions) == (80, 1500)
    assert (config.d_model, config.encoder_layers, config.encoder_attention_heads) == (384, 4, 6)
    assert config.encoder_ffn_dim == 1536
