"""Batches: a pure function of (seed, step, rank), cut out of one place, dropped as often as set."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from cyberhost_core.conditioners import drawn_maps
from cyberhost_core.conditioners.drawn_maps import MapTraining
from cyberhost_core.conditioners.hand_clarity import HandClarity
from cyberhost_core.conditioners.reference_features import ReferenceFeatures
from cyberhost_core.conditioners.region_identity import RegionIdentity
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.conditioners.values import REFERENCE, SOUND
from cyberhost_core.controls.audio_windows import windows
from cyberhost_core.data.store import PreparedVideos, StoreError, write_video
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.batch import Batch
from cyberhost_core.training.batches import BatchMaker, Drop, SamplingConfig
from cyberhost_core.training.first_stages import basic_modules
from cyberhost_core.training.losses.local_enhancement import LocalEnhancement
from cyberhost_core.training.losses.region_masks import RegionMasks

FRAMES = 5
ALWAYS = SamplingConfig(drop=(), drop_past=0)
LOSSES = (LocalEnhancement(), RegionMasks())


@pytest.fixture
def maker(small_spec: SystemSpec, make_store: Callable) -> Callable[..., BatchMaker]:
    store = make_store(small_spec)

    def maker(
        config: SamplingConfig = ALWAYS,
        *,
        seed: int = 0,
        rank: int = 0,
        frames: int = FRAMES,
    ) -> BatchMaker:
        return BatchMaker(store, small_spec, config, frames=frames, seed=seed, rank=rank, losses=LOSSES)

    return maker


def mixed(*shares: float) -> tuple[MapTraining]:
    """Draw kinds of maps in shares: the movement map alone, with hands, the skeleton."""
    return (MapTraining(movement_mix=shares),)


def content(batch: Batch) -> list[Any]:
    """Everything in a batch, flat, in a fixed order."""
    values = [value for _, value in sorted(vars(batch).items())]
    nested = [list(value.values()) if isinstance(value, dict) else [value] for value in values]
    return [value for group in nested for value in group]


def same(a: Batch, b: Batch) -> bool:
    return all(
        torch.equal(x, y) if isinstance(x, Tensor) else x == y
        for x, y in zip(content(a), content(b), strict=True)
    )


def test_a_batch_depends_on_seed_step_and_rank_alone(maker: Callable) -> None:
    config = SamplingConfig(clips=2, settings=mixed(1, 1, 1), past_noise=0.1)
    first = maker(config)
    later = first[7]
    for step in (3, 0, 11):
        first[step]
    assert same(first[7], later)
    assert same(maker(config)[7], later), "another maker, without a history"
    for other in (first[8], maker(config, seed=1)[7], maker(config, rank=1)[7]):
        assert not same(other, later)


def test_loading_in_other_processes_gives_the_same_batches(maker: Callable) -> None:
    made = maker(SamplingConfig(clips=2))
    loaded = DataLoader(made, batch_size=None, sampler=[4, 5], num_workers=2)
    for step, batch in zip((4, 5), loaded, strict=True):
        assert same(batch, made[step])


def test_a_clip_and_what_drives_it_come_from_the_same_frames(maker: Callable) -> None:
    made = maker()
    for step in range(5):
        batch = made[step]
        video, start = find(made.videos, batch.latents[0])
        latents = torch.from_numpy(video.latents_FCHW).float()
        assert torch.equal(batch.latents[0], latents[start : start + FRAMES])
        assert torch.equal(batch.past[0], latents[start - 4 : start]), "the frames right before"
        sound = windows(torch.from_numpy(video.audio_FD).float(), size=5)
        assert torch.equal(batch.drive["audio"][0], sound[start : start + FRAMES])
        assert torch.equal(
            batch.drive["clarity"][0], torch.from_numpy(video.clarity_F4[start : start + FRAMES])
        )


def test_the_reference_is_one_of_the_frames_that_may_serve_with_its_own_crops(maker: Callable) -> None:
    made = maker()
    chosen = set()
    for step in range(8):
        batch = made[step]
        video, _ = find(made.videos, batch.latents[0])
        latents = torch.from_numpy(video.latents_FCHW).float()
        (choice,) = (
            i
            for i, f in enumerate(video.reference_R)
            if torch.equal(latents[f], batch.portrait["latents"][0])
        )
        chosen.add(choice)
        assert torch.equal(batch.portrait["face_vector"][0], torch.from_numpy(video.face_vectors_RD[choice]))
        assert torch.equal(
            batch.portrait["hand_crops"][0] * 255, torch.from_numpy(video.hand_crops_RHCYX[choice]).float()
        )
    assert chosen == {0, 1}


def find(videos: PreparedVideos, latents: Tensor) -> tuple[Any, int]:
    for video in videos:
        for start in range(len(video) - len(latents) + 1):
            if np.array_equal(video.latents_FCHW[start : start + len(latents)], latents.numpy()):
                return video, start
    raise AssertionError("the clip is not in the store")


def test_shapes_are_those_that_the_batch_states(maker: Callable) -> None:
    batch = maker(SamplingConfig(clips=2, drop_past=0))[0]
    assert batch.latents.shape == batch.noise.shape == (2, FRAMES, 4, 4, 3)
    assert batch.past.shape == (2, 4, 4, 4, 3)
    assert {name: value.shape for name, value in batch.portrait.items()} == {
        "latents": (2, 4, 4, 3),
        "skeleton": (2, 3, 32, 24),
        "hand_crops": (2, 2, 3, 128, 128),
        "face_vector": (2, 512),
    }
    assert {name: value.shape for name, value in batch.drive.items()} == {
        "maps": (2, 1, 3, 32, 24),
        "audio": (2, FRAMES, 5, 6),
        "clarity": (2, FRAMES, 4),
    }
    assert {name: value.shape for name, value in batch.targets.items()} == {
        "hands_mask": (2 * FRAMES, 1, 4, 3),
        "face_mask": (2 * FRAMES, 1, 4, 3),
        "hand_heatmaps 4 x 3": (2 * FRAMES, 21, 4, 3),
        "hand_heatmaps 2 x 2": (2 * FRAMES, 21, 2, 2),
    }
    assert batch.timestep.shape == batch.chance.shape == (2,)
    assert ((batch.chance >= 0) & (batch.chance < 1)).all()
    assert float(batch.drive["maps"].min()) >= 0
    assert float(batch.drive["maps"].max()) <= 1


@pytest.fixture
def drawn(
    small_spec: SystemSpec, make_store: Callable, monkeypatch: pytest.MonkeyPatch
) -> Callable[[SamplingConfig], tuple[list[Batch], list[str]]]:
    """Make many batches of a system of few inputs, and name the kinds of their maps: only chance matters."""
    few = small_spec.without(ReferenceFeatures, RegionIdentity, Sound, HandClarity)
    store = make_store(few)

    def drawn(config: SamplingConfig, *, count: int = 400) -> tuple[list[Batch], list[str]]:
        made, kinds = BatchMaker(store, few, config, frames=FRAMES, seed=0), []

        def short_cut(_clip: object, _rng: object, kind: str) -> Tensor:
            kinds.append(kind)
            return torch.zeros(1, 3, 32, 24)

        monkeypatch.setattr(drawn_maps, "_movement", short_cut)
        return [made[step] for step in range(count)], kinds

    return drawn


def test_conditions_are_left_out_as_often_as_set(drawn: Callable) -> None:
    drops = (Drop(groups=(REFERENCE, SOUND), share=0.2), Drop(groups=(SOUND,), share=0.3))
    batches, _ = drawn(SamplingConfig(clips=4, drop=drops, drop_past=0.25))
    having, silent = having_and_silent(batches)
    still = np.array([batch.past.shape[1] == 0 for batch in batches])
    assert 1 - having.mean() == pytest.approx(0.2, abs=0.04)
    assert silent[having].mean() == pytest.approx(0.3, abs=0.04)
    assert silent[~having].all(), "the null pass of guidance hears nothing either"
    assert still.mean() == pytest.approx(0.25, abs=0.07)


def test_the_rates_of_the_default_are_kept(drawn: Callable) -> None:
    config = SamplingConfig(clips=4)
    batches, _ = drawn(config)
    having, silent = having_and_silent(batches)
    rates = {drop.groups: drop.share for drop in config.drop}
    assert rates == {(REFERENCE, SOUND): 0.05, (SOUND,): 0.1}
    assert 1 - having.mean() == pytest.approx(0.05, abs=0.02)
    assert silent[having].mean() == pytest.approx(0.1, abs=0.03)
    still = np.array([batch.past.shape[1] == 0 for batch in batches])
    assert still.mean() == pytest.approx(config.drop_past, abs=0.07)


def having_and_silent(batches: list[Batch]) -> tuple[np.ndarray, np.ndarray]:
    """Say which clips have their reference, and which have no sound, (batches, clips) each."""
    having = np.array([[REFERENCE not in clip for clip in batch.missing] for batch in batches])
    return having, np.array([[SOUND in clip for clip in batch.missing] for batch in batches])


def test_timesteps_and_chances_are_uniform_and_noise_is_normal(drawn: Callable) -> None:
    batches, _ = drawn(SamplingConfig(clips=4))
    timestep = torch.cat([batch.timestep for batch in batches]).float()
    chance = torch.cat([batch.chance for batch in batches])
    assert float(timestep.mean()) == pytest.approx(499.5, rel=0.05)
    assert float(timestep.std()) == pytest.approx(1000 / 12**0.5, rel=0.05)
    assert float(chance.mean()) == pytest.approx(0.5, abs=0.03)
    noise = torch.stack([batch.noise for batch in batches])
    assert float(noise.mean()) == pytest.approx(0, abs=0.01)
    assert float(noise.std()) == pytest.approx(1, abs=0.01)


def test_kinds_of_maps_are_mixed_in_their_shares(drawn: Callable) -> None:
    _, kinds = drawn(SamplingConfig(clips=1, settings=mixed(0.5, 0.25, 0.25)))
    shares = [kinds.count(kind) / len(kinds) for kind in ("movement", "hands", "skeleton")]
    assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.08)


def test_all_clips_of_a_batch_have_maps_of_one_kind(drawn: Callable) -> None:
    _, kinds = drawn(SamplingConfig(clips=3, settings=mixed(1, 1, 1)), count=30)
    batches = [set(kinds[first : first + 3]) for first in range(0, len(kinds), 3)]
    assert {len(batch) for batch in batches} == {1}
    assert set(kinds) == {"movement", "hands", "skeleton"}


def test_a_movement_map_stands_still_and_a_skeleton_moves(maker: Callable) -> None:
    still = maker(ALWAYS.derive(settings=mixed(1, 0, 0)))[0].drive["maps"]
    moving = maker(ALWAYS.derive(settings=mixed(0, 0, 1)))[0].drive["maps"]
    hands = maker(ALWAYS.derive(settings=mixed(0, 1, 0)))[0].drive["maps"]
    assert still.shape[1] == 1
    assert moving.shape[1] == hands.shape[1] == FRAMES
    assert not torch.equal(moving[0, 0], moving[0, 1])


def test_noise_on_motion_frames_stays_below_its_largest_sigma(maker: Callable) -> None:
    clean, noisy = maker(ALWAYS), maker(ALWAYS.derive(past_noise=0.1))
    sigmas = [float((noisy[step].past - clean[step].past).std()) for step in range(8)]
    assert 0 < max(sigmas) < 0.12
    assert len({round(sigma, 4) for sigma in sigmas}) > 4


def test_image_batches_are_pairs_without_motion_frames(small_spec: SystemSpec, make_store: Callable) -> None:
    spec = basic_modules(small_spec)
    batch = BatchMaker(make_store(small_spec), spec, SamplingConfig(clips=3), frames=1, seed=0)[0]
    assert batch.latents.shape == (3, 1, 4, 4, 3)
    assert batch.past.shape[1] == 0


def test_batches_of_a_store_of_several_sizes_have_one_size_each(
    small_spec: SystemSpec, make_store: Callable
) -> None:
    """Each is a pure function of seed, step and rank, too, and devices meet several sizes at one step."""
    store, spec = make_store(small_spec, videos=2, wide=2), small_spec.derive(any_size=True)
    config = SamplingConfig(clips=3)

    def maker(rank: int) -> BatchMaker:
        return BatchMaker(store, spec, config, frames=FRAMES, seed=0, rank=rank, losses=LOSSES)

    first, second = maker(0), maker(1)
    sizes = []
    for step in range(12):
        batch = first[step]
        height, width = batch.latents.shape[3:]
        assert batch.portrait["skeleton"].shape[2:] == (8 * height, 8 * width)
        assert batch.targets["hands_mask"].shape[2:] == (height, width)
        sizes.append(((height, width), tuple(second[step].latents.shape[3:])))
    assert {mine for mine, _ in sizes} == {(4, 3), (3, 4)}
    assert any(mine != theirs for mine, theirs in sizes)
    assert same(maker(0)[5], first[5])


def test_a_system_of_one_size_refuses_a_store_of_others(small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, videos=2, wide=1)
    with pytest.raises(StoreError) as caught:
        BatchMaker(store, small_spec, ALWAYS, frames=FRAMES, seed=0)
    assert "1 videos of 32 x 24 px, but 'small' works at 24 x 32 px only; prepare" in str(caught.value)


def test_videos_too_short_for_a_clip_are_refused(small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, frames=8)
    with pytest.raises(StoreError, match=r"has 8 frames and a clip with its motion frames needs 9; prepare"):
        BatchMaker(store, small_spec, ALWAYS, frames=5, seed=0)


def test_one_short_video_among_long_ones_is_refused_too(
    small_spec: SystemSpec, make_store: Callable, make_video: Callable
) -> None:
    store = make_store(small_spec, videos=2)
    write_video(store.folder, "video-1", make_video(small_spec, frames=3))
    made = BatchMaker(store, small_spec, ALWAYS, frames=5, seed=0)
    with pytest.raises(StoreError, match=r"has 3 frames and a clip with its motion frames needs 9; prepare"):
        for step in range(20):
            made[step]
