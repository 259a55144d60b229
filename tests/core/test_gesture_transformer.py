"""Stage 1's network: the paper's sizes, what it listens to, and that it can learn a motion by heart."""

import torch
from torch import Tensor

from cyberhost_core.gesture.transformer import HAND_VECTOR, GestureConfig, GestureTransformer

FRAMES = 20
SMALL = GestureConfig(
    width=32, blocks=2, heads=2, frames=FRAMES, frames_before=4, audio_dim=6, image_dim=5, offset_dim=3
)


def network() -> GestureTransformer:
    """A small network whose zero-initialised parts are set, as training would."""
    torch.manual_seed(0)
    net = GestureTransformer(SMALL)
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return net.eval()


def told(**changes: Tensor) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    given = {
        "audio_BFD": torch.randn(2, FRAMES, 6, generator=generator),
        "mask_BFH": torch.ones(2, FRAMES, 2),
        "before_BPD": torch.randn(2, 4, HAND_VECTOR, generator=generator),
        "style_B": torch.tensor([0, 1]),
        "amplitude_BH": torch.tensor([[0.05, 0.1], [0.02, 0.08]]),
        "image_BD": torch.randn(2, 5, generator=generator),
        "offset_BFD": torch.randn(2, FRAMES, 3, generator=generator),
    }
    return given | changes


def predicted(net: GestureTransformer, **changes: Tensor) -> Tensor:
    noisy = torch.randn(2, FRAMES, HAND_VECTOR, generator=torch.Generator().manual_seed(2))
    timestep = changes.pop("timestep_B", torch.tensor([10.0, 700.0]))
    with torch.no_grad():
        return net(noisy, timestep, **told(**changes))


def test_the_paper_s_network_has_24_blocks_of_width_512_and_134_outputs() -> None:
    """Section 4.1; a block is two attentions, a feed-forward, one norm and its table."""
    with torch.device("meta"):
        net = GestureTransformer(GestureConfig())
    width = 512
    attention = 4 * width * width + width
    feed_forward = width * 8 * width + 8 * width + 4 * width * width + width
    block = 2 * attention + feed_forward + 2 * width + 6 * width
    assert sum(parameter.numel() for parameter in net.blocks.parameters()) == 24 * block
    assert net.motion_out.out_features == 2 * (16 * 4 + 3) == HAND_VECTOR


def test_everything_that_is_told_changes_the_prediction() -> None:
    net = network()
    plain = predicted(net)
    assert plain.shape == (2, FRAMES, HAND_VECTOR)
    changes = {
        "timestep_B": torch.tensor([10.0, 100.0]),
        "audio_BFD": told()["audio_BFD"].flip(1),
        "mask_BFH": torch.ones(2, FRAMES, 2) * torch.tensor([1.0, 0.0]),
        "before_BPD": torch.zeros(2, 0, HAND_VECTOR),
        "style_B": torch.tensor([0, 2]),
        "amplitude_BH": torch.tensor([[0.05, 0.1], [0.16, 0.08]]),
        "image_BD": torch.zeros(2, 5),
        "offset_BFD": torch.zeros(2, FRAMES, 3),
    }
    for name, value in changes.items():
        other = predicted(net, **{name: value})
        assert (other[1] - plain[1]).abs().max() > 1e-3, f"{name} is not heard"


def test_clips_of_a_batch_do_not_hear_each_other() -> None:
    net = network()
    changed = told()["audio_BFD"].clone()
    changed[1] = 0
    torch.testing.assert_close(predicted(net, audio_BFD=changed)[0], predicted(net)[0])


def test_an_amplitude_that_is_not_told_is_as_if_there_were_no_such_input() -> None:
    net = network()
    silent = predicted(net, amplitude_BH=torch.full((2, 2), torch.nan))
    with torch.no_grad():
        net.amplitude.weight.zero_()
    torch.testing.assert_close(silent, predicted(net))


def test_buckets_tell_neighbouring_amplitudes_apart_in_the_right_order() -> None:
    amplitudes = torch.linspace(0, 0.2, 9)
    codes = SMALL.buckets.encode(torch.stack([amplitudes, amplitudes], dim=1))[:, :9]
    assert (codes.diff(dim=0).sum(dim=1) > 0.1).all(), "more movement, more buckets passed"


def test_it_learns_a_motion_by_heart() -> None:
    torch.manual_seed(0)
    net = GestureTransformer(SMALL)
    given = told()
    clean = torch.sin(torch.arange(FRAMES)[:, None] * torch.linspace(0.1, 0.5, HAND_VECTOR)).expand(2, -1, -1)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(150):
        noisy = 0.6 * clean + 0.8 * torch.randn(2, FRAMES, HAND_VECTOR)
        loss = (net(noisy, torch.tensor([500.0, 500.0]), **given) - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0], losses[::30]
