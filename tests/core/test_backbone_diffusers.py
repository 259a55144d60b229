"""The U-Net computes what that of diffusers does with the same weights: equal names mean equal things."""

from collections.abc import Callable

import pytest
import torch

from cyberhost_core.backbone.conditions import Conditions
from cyberhost_core.backbone.motion_module import MotionModuleConfig
from cyberhost_core.backbone.ops import TORCH_OPS, TRAINING_OPS, Ops
from cyberhost_core.backbone.reference_net import ReferenceNet
from cyberhost_core.backbone.transformer import (
    FeedForwardConfig,
    ImageTokensConfig,
    SelfAttentionConfig,
    SpatialTransformerConfig,
)
from cyberhost_core.backbone.unet import UNet, UNetConfig

TOKEN_DIM = 6
TRANSFORMER = SpatialTransformerConfig(
    heads=2, layers=(SelfAttentionConfig(), ImageTokensConfig(token_dim=TOKEN_DIM), FeedForwardConfig())
)
CONFIG = UNetConfig(
    channels=(16, 32),
    attention_stages=(True, False),
    resnets_per_stage=2,
    norm_groups=4,
    layers=(TRANSFORMER,),
)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(8, 8), (6, 4)])
@pytest.mark.parametrize("ops", [TORCH_OPS, TRAINING_OPS], ids=["fused", "matmul"])
def test_a_stable_diffusion_unet_gives_the_same_numbers(
    size: tuple[int, int], ops: Ops, fill: Callable
) -> None:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    theirs = UNet2DConditionModel(
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TOKEN_DIM,
        attention_head_dim=2,
        norm_num_groups=4,
    ).eval()
    fill(theirs)
    ours = UNet(CONFIG, ops=ops).eval()
    ours.load_state_dict(theirs.state_dict())
    x, timestep, tokens = random(2, 4, *size), torch.tensor([3.0, 870.0]), random(2, 5, TOKEN_DIM)
    with torch.no_grad():
        expected = theirs(x, timestep, encoder_hidden_states=tokens).sample
        found = ours(x, timestep, Conditions(frames=1, image_BRD=tokens))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_motion_module_gives_the_same_numbers_on_one_frame(fill: Callable) -> None:
    # Their group norm pools over frames, so one frame is where both must agree.
    from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D

    theirs = AnimateDiffTransformer3D(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=16,
        norm_num_groups=4,
        cross_attention_dim=None,
        activation_fn="geglu",
        attention_bias=False,
        double_self_attention=True,
        positional_embeddings="sinusoidal",
        num_positional_embeddings=32,
    ).eval()
    fill(theirs)
    motion = MotionModuleConfig(heads=2, first_position=0)
    unet = UNet(CONFIG.derive(layers=(motion,), plain_layers=(motion,)), ops=TORCH_OPS).eval()
    ours = unet.down_blocks[0].motion_modules["0"]
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.endswith("pos_embed.pe")})
    x = random(3, 16, 4, 2)
    with torch.no_grad():
        expected = theirs(x, num_frames=1)
        found = ours(x, Conditions(frames=1))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_the_reference_net_hands_on_the_normalised_input_of_every_self_attention(fill: Callable) -> None:
    config = CONFIG.derive(layers=(TRANSFORMER.derive(layers=(SelfAttentionConfig(), FeedForwardConfig())),))
    net = ReferenceNet(config, ops=TORCH_OPS).eval()
    fill(net)
    seen: dict[str, torch.Tensor] = {}
    for name, module in net.named_modules():
        if name.endswith("norm1") and "attentions" in name:
            path = name.split(".transformer_blocks")[0]
            module.register_forward_hook(lambda *call, path=path: seen.update({path: call[2]}))
    with torch.no_grad():
        features = net.features(random(2, 4, 8, 8), torch.zeros(1), torch.empty(0))
    assert features.keys() == seen.keys()
    assert len(features) == 2 + 1 + 3
    for path, feature in features.items():
        assert torch.equal(feature, seen[path])
