"""Read the encoder of Whisper: a state dict with its configuration, a Hugging Face folder, OpenAI's names.

Our own files hold the encoder's weights under Hugging Face's names without a prefix: `conv1.weight`,
`layers.0.self_attn.q_proj.weight`, ... Its decoder is never read.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import require_extra
from .hugging_face import fill_network, read_folder

if TYPE_CHECKING:
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

_PREFIX = re.compile(r"^(model\.)?(encoder\.)?")
_DECODER = re.compile(r"^(model\.)?(decoder\.|proj_out\.)")
_FROM_OPENAI = {  # longer names first: `attn` begins `attn_ln`, `mlp` begins `mlp_ln`
    "attn_ln.": "self_attn_layer_norm.",
    "mlp_ln.": "final_layer_norm.",
    "attn.query.": "self_attn.q_proj.",
    "attn.key.": "self_attn.k_proj.",
    "attn.value.": "self_attn.v_proj.",
    "attn.out.": "self_attn.out_proj.",
    "mlp.0.": "fc1.",
    "mlp.2.": "fc2.",
    "ln_post.": "layer_norm.",
}


def build_whisper(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> "WhisperEncoder":
    """Build Whisper's encoder and fill it with weights, in float32; weights of a decoder are left out.

    Raises:   MissingExtraError: transformers is not installed
              CheckpointError: a weight is missing, left over or of another shape
    """
    try:
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperEncoder
    except ImportError as error:
        raise require_extra("transformers", extra="standalone", purpose="Loading Whisper") from error
    model = WhisperEncoder(WhisperConfig.from_dict(dict(config)))
    weights = {_PREFIX.sub("", name): weight.float() for name, weight in state.items() if _is_heard(name)}
    fill_network(model, weights, network="Whisper")
    return model


def read_whisper_folder(folder: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the encoder of a Hugging Face folder (config.json, model.safetensors), and its configuration.

    Raises:   CheckpointError: config.json or model.safetensors is missing or unreadable
    """
    state, config = read_folder(folder, network="Whisper", wanted=_is_heard)
    return {_PREFIX.sub("", name): weight for name, weight in state.items()}, config


def rename_openai(name: str) -> str | None:
    """Give the Hugging Face name of a weight in OpenAI's file; None for the decoder's.

    Units:    names without a prefix on our side: `encoder.blocks.3.mlp.0.bias` is `layers.3.fc1.bias`
    """
    if not name.startswith("encoder."):
        return None
    name = name.removeprefix("encoder.")
    if name == "positional_embedding":
        return "embed_positions.weight"
    name = re.sub(r"^blocks\.", "layers.", name)
    for theirs, ours in _FROM_OPENAI.items():
        name = re.sub(rf"(^|\.){re.escape(theirs)}", rf"\g<1>{ours}", name)
    return name


def config_of_openai(dims: Mapping[str, int]) -> dict[str, Any]:
    """Give the Hugging Face configuration of the encoder that OpenAI's `dims` describe.

    Reads:    OpenAI's feed-forward is always four times as wide as its stream
    """
    width, heads, layers = dims["n_audio_state"], dims["n_audio_head"], dims["n_audio_layer"]
    return {
        "model_type": "whisper",
        "num_mel_bins": dims["n_mels"],
        "max_source_positions": dims["n_audio_ctx"],
        "d_model": width,
        "encoder_attention_heads": heads,
        "encoder_layers": layers,
        "encoder_ffn_dim": 4 * width,
    }


def _is_heard(name: str) -> bool:
    return not _DECODER.match(name)
