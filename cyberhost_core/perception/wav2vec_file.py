"""Read wav2vec2 weights: a state dict with its configuration, or a downloaded Hugging Face folder."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import CheckpointError, require_extra

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
    try:
        missing, left_over = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise CheckpointError(
            f"The wav2vec2 weights do not fit their configuration ({str(error).splitlines()[-1].strip()}); "
            "use the config.json that belongs to the weights."
        ) from error
    if missing or left_over:
        raise CheckpointError(
            f"The wav2vec2 weights do not fit their configuration: {len(missing)} missing, {len(left_over)} "
            f"unknown, first {[*missing, *left_over][0]!r}; use the config.json that belongs to the weights."
        )
    return model.eval().requires_grad_(False)


def read_wav2vec_folder(folder: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a Hugging Face folder into a state dict and a configuration that also holds `do_normalize`.

    Raises:   CheckpointError: config.json or model.safetensors is missing or unreadable
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise CheckpointError(
            f"There is no file {weights}; a wav2vec2 folder with config.json and model.safetensors was "
            "expected (older folders hold only pytorch_model.bin: download the safetensors version)."
        )
    config = _read_json(folder / "config.json")
    preprocessor = folder / "preprocessor_config.json"
    extra = _read_json(preprocessor) if preprocessor.is_file() else {}
    try:
        state = load_file(weights)
    except SafetensorError as error:
        raise CheckpointError(f"The file {weights} is damaged ({error}); download it again.") from error
    do_normalize = extra.get("do_normalize", config.get("do_normalize", True))
    return state, {**config, "do_normalize": do_normalize}


def _without_masking(config: dict[str, Any]) -> dict[str, Any]:
    """Masking is a training trick with a weight of its own; without it that weight is not expected."""
    plain = {key: value for key, value in config.items() if key != "do_normalize"}
    return {**plain, "mask_time_prob": 0.0, "mask_feature_prob": 0.0}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"The file {path} cannot be read ({error}); the JSON file of the wav2vec2 download was expected; "
            "download it again."
        ) from error
