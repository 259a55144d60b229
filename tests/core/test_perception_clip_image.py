import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cyberhost_core.errors import CheckpointError, MissingExtraError
from cyberhost_core.perception.clip_image import ClipImage

transformers = pytest.importorskip("transformers")

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 12,
}


@pytest.fixture
def tower(tmp_path: Path) -> Any:
    """A small vision tower, saved as Hugging Face saves the real one."""
    torch.manual_seed(0)
    model = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(**SMALL)).eval()
    model.save_pretrained(tmp_path / "tower")
    return model


def picture(height: int = 50, width: int = 80) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def expected(model: Any, image: np.ndarray) -> torch.Tensor:
    """The peer's way: a picture that Pillow has squeezed goes through CLIP's own image processor."""
    from PIL import Image

    processor = pytest.importorskip("transformers.models.clip").CLIPImageProcessor
    try:
        prepare = processor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
        pixels = prepare(Image.fromarray(image).resize((32, 32)), return_tensors="pt").pixel_values
    except ImportError:
        pytest.skip("transformers prepares pictures with torchvision here")
    with torch.no_grad():
        return model(pixels).image_embeds[0]


def test_a_picture_is_described_as_the_peer_does_it(tower: Any, tmp_path: Path) -> None:
    vector = ClipImage.from_folder(tmp_path / "tower").embed(picture())
    assert vector.shape == (12,)
    torch.testing.assert_close(vector, expected(tower, picture()), atol=1e-5, rtol=1e-5)


def test_a_grey_picture_goes_in_as_grey_less_the_mean_over_the_deviation(tower: Any, tmp_path: Path) -> None:
    level = (128 / 255 - np.array([0.48145466, 0.4578275, 0.40821073])) / [0.26862954, 0.26130258, 0.27577711]
    pixels = torch.tensor(level, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    with torch.no_grad():
        wanted = tower(pixels).image_embeds[0]
    found = ClipImage.from_folder(tmp_path / "tower").embed(np.full((7, 90, 3), 128, dtype=np.uint8))
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


def test_the_whole_width_of_a_picture_is_seen(tower: Any, tmp_path: Path) -> None:
    wide = picture(40, 160)
    repainted = wide.copy()
    repainted[:, :20] = 0  # a crop to the middle would not show this
    clip = ClipImage.from_folder(tmp_path / "tower")
    assert (clip.embed(wide) - clip.embed(repainted)).abs().max() > 1e-3


def test_a_folder_of_the_whole_of_clip_gives_the_same(tower: Any, tmp_path: Path) -> None:
    state = load_file(tmp_path / "tower" / "model.safetensors")
    whole = tmp_path / "whole"
    whole.mkdir()
    more = {
        "vision_model.embeddings.position_ids": torch.arange(17)[None],
        "text_model.final_layer_norm.weight": torch.ones(4),
        "logit_scale": torch.tensor(1.0),
    }
    save_file(state | more, whole / "model.safetensors")
    vision = {key: value for key, value in SMALL.items() if key != "projection_dim"}
    config = {"vision_config": vision, "projection_dim": 12}
    (whole / "config.json").write_text(json.dumps(config), encoding="utf-8")
    alone = ClipImage.from_folder(tmp_path / "tower").embed(picture())
    torch.testing.assert_close(ClipImage.from_folder(whole).embed(picture()), alone)


def test_weights_of_another_size_are_refused(tower: Any, tmp_path: Path) -> None:
    state = load_file(tmp_path / "tower" / "model.safetensors")
    with pytest.raises(CheckpointError, match="CLIP weights do not fit their configuration"):
        ClipImage.from_state_dict(state, SMALL | {"projection_dim": 20})


def test_a_folder_without_safetensors_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no file .*model\.safetensors; a CLIP folder"):
        ClipImage.from_folder(tmp_path)


def test_without_transformers_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"Loading CLIP needs .*cyberhost\[standalone\]"):
        ClipImage.from_state_dict({}, SMALL)
