"""Read wav2vec2 weights: a state dict with its configuration, or a downloaded Hugging Face folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import require_extra
from .hugging_face import fill_network, read_folder, read_json

if TYPE_CHECKING:
    from transformers import Wav2Vec2Model

_PREFIX = "wav2vec2."  # in files of models with a head, such as wav2vec2-base-960h
_TRAINING_ONLY = ("masked_spec_embed", "lm_head.", "quantizer.", "project_hid.", "project_q.")


def build_wav2vec(state: dict[str, Tensor], config: dict[str, Any]) -> "Wav2Vec2Model":
    """Build wav2vec2 and fill it with weights, in float32.

    Raises:   MissingExtraError: transformers is not installed
              CheckpointError: a weight is missing, left over or of another shape
    """
    try:
        from transformers import Wav2Vec2Config, Wav2Vec2Model
    except ImportError as error:
        raise require_extra("transformers", extra="standalone", purpose="Loading wav2vec2") from error
    model = Wav2Vec2Model(Wav2Vec2Config.from_dict(_without_masking(config)))
    weights = {name.removeprefix(_PREFIX): weight.float() for name, weight in state.items()}
    weights = {name: weight for name, weight in weights.items() if not name.startswith(_TRAINING_ONLY)}
    fill_network(model, weights, network="wav2vec2")
    return model


def read_wav2vec_folder(folder: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a Hugging Face folder into a state dict and a configuration that also holds `do_normalize`.

    Raises:   CheckpointError: config.json or model.safetensors is missing or unreadable
    """
    preprocessor = Path(folder) / "preprocessor_config.json"
    state, config = read_folder(folder, network="wav2vec2")
    extra = read_json(preprocessor, network="wav2vec2") if preprocessor.is_file() else {}
    do_normalize = extra.get("do_normalize", config.get("do_normalize", True))
    return state, {**config, "do_normalize": do_normalize}


def _without_masking(config: dict[str, Any]) -> dict[str, Any]:
    """Masking is a training trick with a weight of its own; without it that weight is not expected."""
    plain = {key: value for key, value in config.items() if key != "do_normalize"}
    return {**plain, "mask_time_prob": 0.0, "mask_feature_prob": 0.0}
