"""What a checkpoint may carry beside its system: Stable Diffusion's autoencoder, and the network that hears.

--vae              diffusers folder or file, or an original one       vae.*              metadata "vae"
--audio-encoder    Hugging Face wav2vec2 or Whisper, OpenAI's .pt     audio_encoder.*    "audio_encoder"
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError, require_extra
from ..perception.whisper_file import config_of_openai, rename_openai
from .accounting import Fate, Ledger, Shapes
from .autoencoder_names import autoencoder_config, autoencoder_fates, autoencoder_shapes
from .sources import Source, weights_file

_AUDIO = "audio_encoder."
_HEAD_WIDTH = 64  # of every wav2vec2 and every Whisper
_WAV2VEC_TRAINING = ("masked_spec_embed", "lm_head.", "quantizer.", "project_hid.", "project_q.")
_WEIGHT_NORM = {
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}


@dataclass(frozen=True)
class Companions:
    """Names and shapes that they need, and what the metadata says of them."""

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


def add_companions(ledger: Ledger, *, vae: Path | None, audio_encoder: Path | None) -> Companions:
    """Take both, as far as they are given, into the ledger.

    Raises:   CheckpointError: unreadable, or of another kind
    """
    shapes: dict[str, tuple[int, ...]] = {}
    metadata: dict[str, str] = {}
    for name, path, add in (("vae", vae, _add_autoencoder), ("audio_encoder", audio_encoder, _add_audio)):
        if path is not None:
            config, needed = add(ledger, path)
            shapes |= needed
            metadata[name] = json.dumps(config, sort_keys=True)
    return Companions(shapes, metadata)


def read_autoencoder(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read Stable Diffusion's autoencoder from a download: weights under today's names, and configuration.

    Raises:   CheckpointError: unreadable, or of another kind
              UnaccountedWeightsError: a weight is missing, unexpected or of another shape
    """
    ledger = Ledger("the autoencoder")
    companions = add_companions(ledger, vae=path, audio_encoder=None)
    ledger.settle(companions.shapes, advice="give sd-vae-ft-mse, as folder or file")
    state = {name.removeprefix("vae."): ledger.origins[name].read() for name in companions.shapes}
    return state, json.loads(companions.metadata["vae"])


def _add_autoencoder(ledger: Ledger, path: Path) -> tuple[dict[str, Any], Shapes]:
    file = weights_file(path, "vae")
    source = Source(file)
    if not any("decoder.conv_in." in name for name in source.tensors):
        raise CheckpointError(f"{file} holds no autoencoder of Stable Diffusion; give sd-vae-ft-mse.")
    ledger.take(source, autoencoder_fates(source.tensors))
    config = _config_beside(file) or autoencoder_config(ledger.shapes)
    if config.get("_class_name") != "AutoencoderKL":
        raise CheckpointError(
            f"{file.with_name('config.json')} describes '{config.get('_class_name')}', an AutoencoderKL was "
            "expected; give sd-vae-ft-mse."
        )
    return config, autoencoder_shapes(config)


def _add_audio(ledger: Ledger, path: Path) -> tuple[dict[str, Any], Shapes]:
    file = weights_file(path)
    source = Source(file)
    names = source.tensors
    if any("feature_extractor.conv_layers." in name for name in names):
        ledger.take(source, _wav2vec_fate)
        config = _config_beside(file) or _wav2vec_config(ledger.shapes)
        return config, _wav2vec_shapes(config)
    if any("encoder.conv1." in name for name in names):
        openai = any(name.startswith("encoder.blocks.") for name in names)
        ledger.take(source, _openai_fate if openai else _whisper_fate)
        config = _config_beside(file) or _whisper_config(ledger.shapes)
        return config, _whisper_shapes(config)
    raise CheckpointError(
        f"{file} holds neither wav2vec2 nor Whisper; give the folder of wav2vec2-base-960h or whisper-tiny."
    )


def _wav2vec_fate(name: str) -> Fate:
    bare = name.removeprefix("wav2vec2.")
    if bare.startswith(_WAV2VEC_TRAINING):
        return Fate((_AUDIO,), reason="not needed to hear: masking in training, or the head that spells")
    for old, new in _WEIGHT_NORM.items():
        bare = bare.replace(old, new)
    return Fate((_AUDIO + bare,))


def _whisper_fate(name: str) -> Fate:
    bare = name.removeprefix("model.")
    if bare.startswith(("decoder.", "proj_out.")):
        return Fate((_AUDIO,), reason="the decoder's, which writes; only the encoder hears")
    return Fate((_AUDIO + bare.removeprefix("encoder."),))


def _openai_fate(name: str) -> Fate:
    ours = rename_openai(name)
    if ours is None and name.startswith("decoder."):
        return Fate((_AUDIO,), reason="the decoder's, which writes; only the encoder hears")
    return Fate((_AUDIO + ours,)) if ours else Fate()


def _wav2vec_config(shapes: Shapes) -> dict[str, Any]:
    """Describe wav2vec2-base by its shapes; what they do not tell is wav2vec2-base-960h's."""
    width = shapes[f"{_AUDIO}encoder.layer_norm.weight"][0]
    return {
        "model_type": "wav2vec2",
        "do_normalize": True,
        "hidden_size": width,
        "num_hidden_layers": _count(shapes, "encoder.layers.{}.final_layer_norm.weight"),
        "num_attention_heads": max(1, width // _HEAD_WIDTH),
        "intermediate_size": shapes[f"{_AUDIO}encoder.layers.0.feed_forward.intermediate_dense.weight"][0],
    }


def _whisper_config(shapes: Shapes) -> dict[str, Any]:
    width, mels, _ = shapes[f"{_AUDIO}conv1.weight"]
    return config_of_openai(
        {
            "n_mels": mels,
            "n_audio_ctx": shapes[f"{_AUDIO}embed_positions.weight"][0],
            "n_audio_state": width,
            "n_audio_head": max(1, width // _HEAD_WIDTH),
            "n_audio_layer": _count(shapes, "layers.{}.fc1.weight"),
        }
    )


def _wav2vec_shapes(config: Mapping[str, Any]) -> Shapes:
    def build() -> torch.nn.Module:
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        plain = {**config, "mask_time_prob": 0.0, "mask_feature_prob": 0.0}
        return Wav2Vec2Model(Wav2Vec2Config.from_dict(plain))

    return _shapes_of(build)


def _whisper_shapes(config: Mapping[str, Any]) -> Shapes:
    def build() -> torch.nn.Module:
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        return WhisperEncoder(WhisperConfig.from_dict(dict(config)))

    return _shapes_of(build)


def _shapes_of(build: Callable[[], torch.nn.Module]) -> Shapes:
    try:
        with torch.device("meta"):
            state = build().state_dict()
    except ImportError as error:
        raise require_extra("transformers", extra="standalone", purpose="An audio encoder") from error
    return {_AUDIO + name: tuple(value.shape) for name, value in state.items()}


def _count(shapes: Iterable[str], pattern: str) -> int:
    found = re.compile(re.escape(_AUDIO + pattern).replace(r"\{\}", r"\d+"))
    return sum(bool(found.fullmatch(name)) for name in shapes)


def _config_beside(file: Path) -> dict[str, Any] | None:
    """Read the config.json of a download, with what its preprocessor adds; None for a lone file."""
    path, preprocessor = file.with_name("config.json"), file.with_name("preprocessor_config.json")
    if not path.is_file():
        return None
    config = _read_json(path)
    extra = _read_json(preprocessor) if preprocessor.is_file() else {}
    return config | {name: extra[name] for name in ("do_normalize",) if name in extra}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); the configuration that belongs to the weights was expected: "
            "download it again."
        ) from error
