"""The public models at sizes nobody published, against recordings of the projects' own code.

fixtures/peers/NAME.safetensors.xz -> unpacked beside NAME.json -> run_case -> largest differences
"""

import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from cyberhost_core.exams.peers.recorded_case import is_case, run_case

FOLDER = Path(__file__).parent / "fixtures" / "peers"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))

# One on each way that something takes to the output: reference picture, sound, time, pose, picture tokens.
WEIGHTS = {
    "animate-anyone-wide": (
        "reference_unet.conv_in.weight",
        "denoising_unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight",
        "denoising_unet.mid_block.motion_modules.0.temporal_transformer.norm.weight",
        "pose_guider.conv_out.weight",
    ),
    "echomimic-v2-tall": (
        "reference_unet.mid_block.attentions.0.transformer_blocks.0.norm1.weight",
        "denoising_unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
        "denoising_unet.up_blocks.0.motion_modules.0.temporal_transformer.proj_out.weight",
    ),
    "hallo-four-motion-frames": ("reference_unet.mid_block.attentions.0.transformer_blocks.0.norm1.weight",),
    "hallo-one-motion-frame": (
        "reference_unet.up_blocks.3.attentions.0.transformer_blocks.0.attn2.to_v.weight",
        "denoising_unet.down_blocks.1.audio_modules.0.transformer_blocks.0.attn2_2.to_v.weight",
        "denoising_unet.up_blocks.2.audio_modules.0.transformer_blocks.0.zero_conv_face.weight",
        "audioproj.proj1.weight",
        "imageproj.proj.weight",
    ),
}


def unpacked(name: str, folder: Path, **changes: Any) -> Path:
    """Lay a case out as `convert check` reads it, with some of what its JSON says changed."""
    told = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    case = folder / f"{name}.json"
    case.write_text(json.dumps(told | changes), encoding="utf-8")
    packed = (FOLDER / f"{name}.safetensors.xz").read_bytes()
    case.with_suffix(".safetensors").write_bytes(lzma.decompress(packed))
    return case


def scale(case: Path, weight: str, *, by: float) -> None:
    """Multiply one tensor of a case's weights."""
    tensors = load_file(case.with_suffix(".safetensors"))
    tensors[weight] = (tensors[weight].float() * by).to(tensors[weight].dtype)
    save_file(tensors, case.with_suffix(".safetensors"))


def test_there_is_a_recording_of_each_public_model() -> None:
    peers = {json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["peer"] for name in NAMES}
    assert peers == {"EM2", "HALLO", "MOORE"}


@pytest.mark.parametrize("name", NAMES)
def test_we_compute_what_the_peer_computed(name: str, tmp_path: Path) -> None:
    case = unpacked(name, tmp_path)
    assert is_case(case)
    errors = run_case(case)
    assert errors.passes, errors


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        pytest.param(name, weight, marks=[pytest.mark.slow] if number else [])
        for name in NAMES
        for number, weight in enumerate(WEIGHTS[name])
    ],
)
def test_a_weight_that_is_one_percent_off_shows(name: str, weight: str, tmp_path: Path) -> None:
    case = unpacked(name, tmp_path)
    scale(case, weight, by=1.01)
    assert not run_case(case).passes


def test_hallos_motion_modules_in_blocks_without_attention_are_never_run(tmp_path: Path) -> None:
    case = unpacked("hallo-one-motion-frame", tmp_path)
    scale(case, "denoising_unet.down_blocks.3.motion_modules.0.temporal_transformer.proj_out.weight", by=2.0)
    assert run_case(case).passes


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("echomimic-v2-tall", {"attention_heads_spatial": 4}),
        ("echomimic-v2-tall", {"attention_heads_motion": 2}),
        ("animate-anyone-wide", {"norm_num_groups": 4}),
        ("animate-anyone-wide", {"norm_num_groups_motion": 2}),
        ("hallo-one-motion-frame", {"motion_scale": [0.5, 0.8, 1.5]}),
        ("hallo-one-motion-frame", {"reference_token_tiling": "block"}),
    ],
)
def test_what_no_shape_tells_is_taken_from_the_recording(
    name: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    assert not run_case(unpacked(name, tmp_path, **changes)).passes
