"""The numbers that CyberHost prints, and the sizes of the paper's system, counted on the meta device."""

import hashlib
import re
from collections import Counter

import pytest
import torch

from cyberhost_core.backbone.latents_bank import BankConfig, LatentsBank
from cyberhost_core.backbone.map_encoder import MapEncoder
from cyberhost_core.backbone.region_attention import RegionAttentionConfig
from cyberhost_core.conditioners.motion_frames import MotionFrames
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.controls.movement_map import GROWTH_RANGE
from cyberhost_core.controls.regions import FACE_CROP_PX, HAND_CROP_PX
from cyberhost_core.guidance.dual import DualGuidance
from cyberhost_core.systems.cyberhost import paper, talking_head
from cyberhost_core.systems.model import SystemModel, count_parameters, on_meta, parameter_table
from cyberhost_core.training.losses.local_enhancement import HeatmapHeads, LocalEnhancement
from cyberhost_core.training.losses.region_masks import RegionMasks
from cyberhost_core.training.stage import StageConfig

SD15_PARAMETERS = 859_520_964
RAM_SLOTS = ("face_attentions", "hands_attentions")

# The public reference net of EchoMimicV2 (a Stable Diffusion U-Net without cross-attention and output): how
# many tensors each part has, and the digest of its sorted "name shape" lines.
PUBLIC_REFERENCE_NET = {"attentions": 304, "resnets": 248, "downsamplers": 6, "upsamplers": 6, "": 6}
PUBLIC_REFERENCE_NET_DIGEST = "7ac9aff5b9b6799d"


@pytest.fixture(scope="module")
def paper_model() -> SystemModel:
    return on_meta(paper())


def test_an_audio_feature_is_fourteen_hidden_states_of_768_in_a_window_of_five() -> None:
    (audio,) = paper().listed(Sound)
    layers, embedding, last_again, width = 12, 1, 1, 768
    assert audio.feature_dim == (layers + embedding + last_again) * width == 10752
    assert audio.window == 5


def test_both_banks_have_the_printed_shapes_in_every_ram(paper_model: SystemModel) -> None:
    shapes = Counter(
        tuple(value.shape) for name, value in paper_model.named_parameters() if name.endswith(".latents")
    )
    sites = 2 * 3 + 1 + 3 * 3
    assert shapes == {(1, 512, 512): 2 * sites, (1, 64, 512): 2 * sites}


def test_a_unified_bank_has_about_55_times_the_parameters() -> None:
    spatial, temporal, unified = (
        LatentsBank(BankConfig(axis=axis), 512).latents.numel() for axis in ("spatial", "temporal", "unified")
    )
    assert unified / (spatial + temporal) == pytest.approx(55, rel=0.05)


def test_losses_are_weighted_as_printed() -> None:
    masks, enhancement = RegionMasks(), LocalEnhancement()
    assert (masks.hands_weight, masks.face_weight) == (0.005, 0.001)
    assert (enhancement.alpha, enhancement.probability, enhancement.below) == (1, 0.5, 500)
    assert StageConfig(name="video", steps=1).losses == (enhancement, masks)


def test_a_clip_is_twelve_frames_after_four_motion_frames() -> None:
    spec, stage = paper(), StageConfig(name="video", steps=1)
    assert [motion.frames for motion in spec.listed(MotionFrames)] == [spec.past_frames] == [4]
    assert (spec.long_video.frames, stage.frames) == (12, 12)
    positions = [layer.first_position for layer in spec.unet.layers if layer.kind == "motion_module"]
    assert positions == [spec.past_frames], "motion frames stand right before the clip on the time axis"


def test_training_and_guidance_use_the_printed_values() -> None:
    spec = paper()
    assert StageConfig(name="video", steps=1).learning_rate == 1e-5
    assert spec.guidance == DualGuidance(reference_scale=2.5, audio_scale=4.5) == DualGuidance()
    assert spec.schedule.prediction == "epsilon"


def test_the_picture_is_640_by_384_and_its_sides_are_multiples_of_64() -> None:
    for spec in (paper(), talking_head()):
        assert spec.height % 64 == 0
        assert spec.width % 64 == 0
        assert spec.height * spec.width == pytest.approx(640 * 384, rel=0.1)
    assert (paper().height, paper().width) == (640, 384)


def test_crops_and_movement_boxes_have_the_printed_sizes() -> None:
    assert (HAND_CROP_PX, FACE_CROP_PX) == (128, 256)
    assert GROWTH_RANGE == (1.0, 1.5)


def test_both_map_encoders_share_an_architecture_but_no_parameter(paper_model: SystemModel) -> None:
    movement, pose = paper_model.movement_encoder, paper_model.pose_encoder
    assert isinstance(movement, MapEncoder)
    assert isinstance(pose, MapEncoder)
    assert shapes_of(movement) == shapes_of(pose)
    assert not {id(p) for p in movement.parameters()} & {id(p) for p in pose.parameters()}


def test_the_table_of_parameters_counts_every_parameter_once(paper_model: SystemModel) -> None:
    table = parameter_table(paper_model)
    assert sum(table.values()) == count_parameters(paper_model)
    assert {f"denoiser.{slot}" for slot in RAM_SLOTS} <= table.keys()
    assert not [name for name in table if name.startswith("reference_net") and "motion" in name]


def test_the_talking_head_lacks_the_hand_rams_and_their_encoder_only(paper_model: SystemModel) -> None:
    head, body = shapes_of(on_meta(talking_head())), shapes_of(paper_model)
    assert head.items() <= body.items()
    assert {
        re.sub(r".*(hands_attentions|hand_encoder).*", r"\1", name) for name in body.keys() - head.keys()
    } == {
        "hands_attentions",
        "hand_encoder",
    }


def test_each_hand_ram_has_a_heatmap_head_of_21_keypoints() -> None:
    unet = paper().unet
    with torch.device("meta"):
        heads = HeatmapHeads(unet)
    outputs = [value.shape[0] for name, value in heads.named_parameters() if name.endswith("2.weight")]
    assert outputs == [21] * 16
    assert [layer.region for layer in unet.layers if isinstance(layer, RegionAttentionConfig)] == [
        "face",
        "hands",
    ]


def test_the_denoiser_is_stable_diffusion_without_its_text_attention(paper_model: SystemModel) -> None:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    with torch.device("meta"):
        theirs = UNet2DConditionModel(
            cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280)
        )
    assert count_parameters(theirs) == SD15_PARAMETERS
    kept = {name: shape for name, shape in shapes_of(theirs).items() if not is_text(name)}
    own = (*RAM_SLOTS, "motion_modules", "attn_audio", "norm_audio")
    added = {name for name in shapes_of(paper_model.denoiser) if any(part in name.split(".") for part in own)}
    found = {name: shape for name, shape in shapes_of(paper_model.denoiser).items() if name not in added}
    assert found == kept


def test_the_motion_modules_are_animatediffs(paper_model: SystemModel) -> None:
    from diffusers.models.unets.unet_motion_model import MotionAdapter

    with torch.device("meta"):
        theirs = MotionAdapter(motion_max_seq_length=32)
    found = {name: s for name, s in shapes_of(paper_model.denoiser).items() if "motion_modules" in name}
    assert found == {name: s for name, s in shapes_of(theirs).items() if not name.endswith("pos_embed.pe")}


def test_the_reference_net_is_that_of_the_public_relatives(paper_model: SystemModel) -> None:
    shapes = shapes_of(paper_model.reference_net)
    parts = Counter(
        next((part for part in PUBLIC_REFERENCE_NET if part and part in name), "") for name in shapes
    )
    assert parts == PUBLIC_REFERENCE_NET
    assert digest(shapes) == PUBLIC_REFERENCE_NET_DIGEST


def shapes_of(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def digest(shapes: dict[str, tuple[int, ...]]) -> str:
    lines = sorted(f"{name} {shape}" for name, shape in shapes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def is_text(name: str) -> bool:
    return ".attn2." in name or (".transformer_blocks." in name and ".norm2." in name)
