"""Classifiers of parts: what they see, in which order, and that they learn what they are for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as nnf

from cyberhost_core.backbone.conditions import Conditions
from cyberhost_core.backbone.ops import TORCH_OPS, TRAINING_OPS
from cyberhost_core.backbone.part_classifier import Agreement, PartClassifier, PartClassifierConfig, Seen
from cyberhost_core.backbone.unet import UNet, UNetEncoder
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.classifiers.learner import agreement_loss

WINDOW, TOKEN = 5, 10


@pytest.fixture
def config(small_spec: SystemSpec) -> PartClassifierConfig:
    unet = small_spec.unet.without("region_attention")
    return PartClassifierConfig(unet=unet, sound=WINDOW * TOKEN, width=16, heads=2, blocks=2)


def conditions(clips: int, frames: int, *, seed: int = 0) -> Conditions:
    generator = torch.Generator().manual_seed(seed)
    sound = torch.randn(clips * frames, WINDOW, TOKEN, generator=generator)
    return Conditions(frames=frames, clips=clips, audio_NWD=sound).without_memo()


def noised(clips: int, frames: int, *, seed: int = 1) -> Tensor:
    return torch.randn(clips * frames, 4, 4, 3, generator=torch.Generator().manual_seed(seed))


def made(config: PartClassifierConfig, fill: Callable, **changes: Any) -> PartClassifier:
    model = PartClassifier(config.derive(**changes), ops=TORCH_OPS)
    fill(model)
    return model.eval().requires_grad_(False)


def lender(config: PartClassifierConfig, fill: Callable) -> UNetEncoder:
    """A denoiser, whose encoder a classifier without one of its own is given."""
    denoiser = UNet(config.unet, ops=TORCH_OPS)
    fill(denoiser)
    return denoiser.eval().requires_grad_(False)


def test_the_encoder_is_half_of_the_u_net(small_spec: SystemSpec, fill: Callable) -> None:
    """Same names, same weights, and the features that the whole network has in its middle."""
    unet = small_spec.unet.without("region_attention")
    whole, half = UNet(unet, ops=TORCH_OPS), UNetEncoder(unet, ops=TORCH_OPS)
    fill(whole)
    state = whole.state_dict()
    half.load_state_dict({name: state[name] for name in half.state_dict()})
    middle = []
    whole.mid_block.register_forward_hook(lambda _module, _args, out: middle.append(out))
    told = conditions(1, 3)
    whole(noised(1, 3), torch.tensor([7.0]), told)
    torch.testing.assert_close(half(noised(1, 3), torch.tensor([7.0]), told), middle[0])


@pytest.mark.parametrize(
    "changes", [{"rope": "frames"}, {"rope": "volume"}, {"encoder": "denoiser"}], ids=lambda one: str(one)
)
def test_pictures_and_sound_count_and_so_does_their_order(
    config: PartClassifierConfig, fill: Callable, changes: dict[str, str]
) -> None:
    model, x, told, time = made(config, fill, **changes), noised(1, 4), conditions(1, 4), torch.tensor([3.0])
    denoiser = lender(config, fill)
    own = model(x, time, told, denoiser)
    assert own.shape == (1,)
    moved = replace(told, audio_NWD=told.audio_NWD.roll(1, dims=0))
    for other in (
        model(x, time, moved, denoiser),
        model(x.roll(1, dims=0), time, told, denoiser),
        model(-x, time, told, denoiser),
    ):
        assert not torch.allclose(other, own, atol=1e-4)
    assert not torch.allclose(model(x, torch.tensor([900.0]), told, denoiser), own, atol=1e-4), "noise"


def test_a_lent_encoder_is_not_the_classifiers_own_and_is_told_no_sound(
    config: PartClassifierConfig, fill: Callable
) -> None:
    """Features that owe nothing to a sound can be compared with any; and a file holds no second encoder."""
    model, denoiser = made(config, fill, encoder="denoiser"), lender(config, fill)
    assert not any(name.startswith("encoder") for name in model.state_dict())
    told, other = conditions(1, 4), conditions(1, 4, seed=9)
    first, second = (model.look(noised(1, 4), torch.tensor([3.0]), each, denoiser) for each in (told, other))
    assert torch.equal(first.video_BTC, second.video_BTC)
    assert not torch.equal(first.audio_BTC, second.audio_BTC)


def test_every_clip_is_compared_with_every_sound_from_every_frame_on(config: PartClassifierConfig) -> None:
    """Against the judgement of one clip with one sound, moved by hand."""
    torch.manual_seed(0)
    agreement = Agreement(config, ops=TORCH_OPS)
    generator = torch.Generator().manual_seed(4)
    video = torch.randn(2, 5, config.unet.channels[-1], generator=generator)
    audio = torch.randn(2, 5, config.sound, generator=generator)
    found = agreement.among(video, audio)
    for clip in range(2):
        for sound in range(2):
            for later in range(5):
                moved = torch.stack([audio[sound, (frame + later) % 5] for frame in range(5)])
                (alone,) = agreement(video[clip : clip + 1], moved[None])
                torch.testing.assert_close(found[clip, sound, later], alone)


def test_only_the_strongest_value_of_a_channel_counts(config: PartClassifierConfig, fill: Callable) -> None:
    """Equation 4: global max pooling, so that a frame is one token, whatever the picture's size."""
    model = made(config, fill)
    features = torch.randn(1, 2, config.unet.channels[-1], 3, 4)
    pooled = model._pooled(features)
    assert pooled.shape == (1, 2, config.unet.channels[-1])
    assert torch.equal(pooled, features.flatten(-2).max(dim=-1).values)
    shuffled = features.flatten(-2)[..., torch.randperm(12)].unflatten(-1, (3, 4))
    assert torch.equal(model._pooled(shuffled), pooled)
    volume = made(config, fill, rope="volume")
    assert not torch.allclose(volume._pooled(shuffled), volume._pooled(features)), "where it is, counts there"


def test_a_long_clip_is_encoded_window_by_window_and_judged_as_a_whole(
    config: PartClassifierConfig, fill: Callable
) -> None:
    model, time, denoiser = made(config, fill), torch.tensor([3.0, 3.0]), lender(config, fill)
    x, told = noised(2, 3), conditions(2, 3)
    whole = model(x, time, told, denoiser, windows=2)
    assert whole.shape == (1,)
    assert model(x, time, told, denoiser).shape == (2,)
    later = x.clone()
    later[3:] += 1
    assert not torch.allclose(model(later, time, told, denoiser, windows=2), whole, atol=1e-4)


def test_frames_that_are_given_clean_are_not_judged(config: PartClassifierConfig, fill: Callable) -> None:
    model, x, told = made(config, fill), noised(1, 3), conditions(1, 3)
    opened = told.opened_by(torch.randn(1, 1, 4, 4, 3))
    seen = []
    model.video_in.register_forward_pre_hook(lambda _module, args: seen.append(args[0].shape[1]))
    model(x, torch.tensor([3.0]), opened, lender(config, fill))
    assert seen == [3]


def test_it_learns_whether_pictures_move_with_the_sound(config: PartClassifierConfig, fill: Callable) -> None:
    """What it is for: the loud frame of a real clip is bright; in a wrong one another frame is."""
    torch.manual_seed(0)
    model, denoiser = PartClassifier(config.derive(width=32), ops=TRAINING_OPS), lender(config, fill)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(2)

    def batch(clips: int) -> tuple[Tensor, Conditions, Tensor]:
        loud_BF = nnf.one_hot(torch.randint(6, (clips,), generator=generator), 6).float()
        label_B = torch.arange(clips) % 2
        heard_BF = torch.where(label_B[:, None] == 1, loud_BF, loud_BF.roll(3, dims=1))
        x = 0.1 * torch.randn(clips * 6, 4, 4, 3, generator=generator)
        x[:, 0] += 2 * loud_BF.flatten()[:, None, None]
        sound = heard_BF.flatten()[:, None, None].expand(-1, WINDOW, TOKEN).contiguous()
        told = Conditions(frames=6, clips=clips, audio_NWD=sound).without_memo()
        return x, told, label_B.float()

    for _ in range(120):
        x, told, label = batch(16)
        loss = nnf.binary_cross_entropy_with_logits(model(x, torch.zeros(16), told, denoiser), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, told, label = batch(64)
    with torch.no_grad():
        right = ((model(x, torch.zeros(64), told, denoiser) > 0).float() == label).float().mean()
    assert right >= 0.9


def test_agreement_learns_from_real_clips_alone_which_sound_is_theirs(config: PartClassifierConfig) -> None:
    """Pictures and sounds that follow the same hidden motion; it sees no wrong clip in training."""
    torch.manual_seed(0)
    agreement = Agreement(config, ops=TRAINING_OPS)
    generator = torch.Generator().manual_seed(2)
    shown, heard = (torch.randn(3, size) for size in (config.unet.channels[-1], config.sound))

    def real(clips: int) -> Seen:
        motion_BTM = torch.randn(clips, 8, 3, generator=generator)
        pictures, sounds = motion_BTM @ shown, motion_BTM @ heard
        return Seen(pictures + torch.randn(pictures.shape, generator=generator), sounds)

    optimizer = torch.optim.Adam(agreement.parameters(), lr=5e-3)
    for _ in range(60):
        loss = agreement_loss(agreement, real(6))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        pictures, sounds = real(64)
        own = agreement(pictures, sounds)
        for later in (2, 4):
            assert (own > agreement(pictures, sounds.roll(later, dims=1))).float().mean() >= 0.95
        assert (own > 0).float().mean() >= 0.8, "each by itself, too"
