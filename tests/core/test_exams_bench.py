"""The bench tells good models from bad ones: stand-ins that are perfect, frozen, deaf or someone else."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cyberhost_core.conditioners.values import NOTHING
from cyberhost_core.errors import ConfigError
from cyberhost_core.exams.puppets import takes
from cyberhost_core.exams.puppets.bench import BenchConfig, evaluate_talker
from cyberhost_core.exams.puppets.takes import Truth, even_identities
from cyberhost_core.pipeline.generate import Progress  # noqa: TC001
from cyberhost_core.pipeline.options import GenerateOptions
from cyberhost_core.pipeline.portrait import Portrait
from cyberhost_core.puppets.split import HELD_OUT_IDENTITIES
from cyberhost_core.reports.tables import BenchReport
from cyberhost_core.sampling.track import Track
from cyberhost_core.systems.cyberhost import tiny
from cyberhost_core.types import Pose

CONFIG = BenchConfig(
    clips=3,
    frames=24,
    movement_clips=1,
    movement_frames=16,
    clarity_clips=1,
    clarity_frames=4,
    clarity_levels=3,
)


class World:
    """Remember all that was drawn, so that a picture's pose and person can be looked up: exact detectors."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._points: dict[bytes, np.ndarray] = {}
        self._people: dict[bytes, int] = {}
        self._clips: dict[tuple[Any, ...], Any] = {}
        render, portrait = takes.render_performance, takes.reference_portrait

        def render_performance(identity: Any, **given: Any) -> Any:
            key = (identity.seed, given["utterance"].name, given["performance"], given["frames"])
            if key not in self._clips:
                self._clips[key] = render(identity, **given)
                self._remember(self._clips[key].frames_FYXC, self._clips[key].pose, identity.seed)
            return self._clips[key]

        def reference_portrait(seed: int, **size: int) -> tuple[np.ndarray, Pose]:
            image, pose = portrait(seed, **size)
            self._remember(image[None], pose, seed)
            return image, pose

        patch.setattr(takes, "render_performance", render_performance)
        patch.setattr(takes, "reference_portrait", reference_portrait)

    def detect(self, images_FYXC: np.ndarray, **_padding: float) -> Pose:
        images_FYXC = images_FYXC.reshape(-1, *images_FYXC.shape[-3:])  # one picture, or several
        points = [self._points[image.tobytes()] for image in images_FYXC]
        return Pose.from_packed(np.stack(points), height=128, width=96)

    def embed(self, image_YXC: np.ndarray, _face_FKC: np.ndarray) -> np.ndarray:
        return np.eye(512)[self._people[image_YXC.tobytes()] % 512]

    def _remember(self, images_FYXC: np.ndarray, pose: Pose, seed: int) -> None:
        for image, points in zip(images_FYXC, pose.packed_FKC(), strict=True):
            self._points[image.tobytes()], self._people[image.tobytes()] = points, seed


class PerfectTalker:
    """Answer with true renders; `play` may change what is played."""

    def __init__(self, world: World) -> None:
        self.spec = tiny()
        self.pose_detector = self.face_identity = world
        self._truth = Truth(world, height=128, width=96)  # type: ignore[arg-type]
        self._utterance = ""

    def portrait(self, image_YXC: np.ndarray) -> Portrait:
        return Portrait(
            picture_YXC=image_YXC, find=lambda pictures: self.pose_detector.detect(pictures, padding=1.0)
        )

    def reference(self, portrait: Portrait) -> np.ndarray:
        return portrait.picture_YXC

    def track(self, sound: Any, *_pose_and_options: Any) -> Track:
        self._utterance = sound.name
        return Track(frames=80, values={})

    def frames(
        self,
        reference: np.ndarray,
        track: Track,
        options: GenerateOptions,
        **_on_step: Callable[[int, int], None],
    ) -> Iterator[np.ndarray]:
        seed = self.pose_detector._people[reference.tobytes()]
        movement = options.driving.movement
        assert movement and options.hand_clarity is not None
        take = takes.Take(
            seed=options.seed, frames=len(track), movement=movement, hand_clarity=options.hand_clarity
        )
        yield self.play(reference, seed, take)

    def play(self, portrait: np.ndarray, seed: int, take: takes.Take) -> np.ndarray:
        utterances = {utterance.name: utterance for utterance in takes.bundled_utterances("held_out")}
        actor = takes.Actor(
            takes.random_identity(seed), utterances[self._utterance], self.portrait(portrait), NOTHING
        )
        return self._truth.shoot(actor, take).frames_FYXC


class FrozenTalker(PerfectTalker):
    def play(self, portrait: np.ndarray, _seed: int, take: takes.Take) -> np.ndarray:
        return np.repeat(portrait[None], take.frames, axis=0)


class DeafStranger(PerfectTalker):
    """Speaks other words, in the next puppet's body, and heeds no control."""

    def play(self, portrait: np.ndarray, seed: int, take: takes.Take) -> np.ndarray:
        names = [utterance.name for utterance in takes.bundled_utterances("held_out")]
        self._utterance = names[names.index(self._utterance) - 4]
        stranger = next(other for other in self.cast if other != seed)
        return super().play(portrait, stranger, replace(take, movement=(0.1, 0.04), hand_clarity=0.5))

    @property
    def cast(self) -> list[int]:
        return [identity.seed for identity in even_identities(CONFIG.clips)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        yield World(patch)


def row_of(report: BenchReport, name: str) -> Any:
    return next(row for row in report.rows if row.name == name)


def test_a_perfect_model_reaches_every_target_and_equals_its_ceiling(world: World) -> None:
    report = evaluate_talker(PerfectTalker(world), config=CONFIG)  # type: ignore[arg-type]
    assert report.missed == []
    for row in report.rows:
        if row.ceiling is not None:
            assert row.value == pytest.approx(row.ceiling), row.name
    assert row_of(report, "lip_sync").value > 0.99
    assert row_of(report, "movement_range_px_1").value < 1 < row_of(report, "movement_range_px_3").value


def test_a_frozen_model_keeps_its_looks_misses_all_that_moves_and_every_frame_is_counted(
    world: World,
) -> None:
    seen: list[Progress] = []
    report = evaluate_talker(FrozenTalker(world), config=CONFIG, on_progress=seen.append)  # type: ignore
    missed = {row.name for row in report.missed}
    assert missed >= {"lip_sync", "lip_sync_dark", "movement_obedience", "clarity_obedience"}
    assert not missed & {
        "lip_sync_shuffled",
        "identity_nearest",
        "seam_ratio",
        "hands_found",
        "thorax_inside",
    }
    assert row_of(report, "hkv_px").value == pytest.approx(0, abs=1e-4)
    for stage in ("generate", "render"):
        counts = [one.done for one in seen if one.stage == stage]
        assert counts == sorted(counts)
        assert (counts[0], counts[-1]) == (0, 3 * 24 + 3 * 16 + 3 * 4)


def test_a_model_that_neither_listens_nor_looks_nor_obeys_misses_those_targets(world: World) -> None:
    report = evaluate_talker(DeafStranger(world), config=CONFIG)  # type: ignore[arg-type]
    missed = {row.name for row in report.missed}
    assert missed >= {"lip_sync", "identity_nearest", "movement_obedience", "clarity_obedience"}
    assert row_of(report, "csim").value == 0.0


def test_clips_longer_than_the_shortest_voice_are_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="frames = 500, but 2 to"):
        evaluate_talker(PerfectTalker(world), config=replace(CONFIG, frames=500))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [{"clips": 0}, {"clips": 101}, {"movement_clips": 4}, {"clarity_levels": 1}]
)
def test_counts_that_cannot_be_shot_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="The bench was asked for"):
        replace(CONFIG, **change)


@pytest.mark.parametrize("count", [1, 3, 10, 100])
def test_puppets_are_held_out_different_and_spread_over_skin_tones(count: int) -> None:
    chosen = even_identities(count)
    assert len({identity.seed for identity in chosen}) == count
    assert all(identity.seed in HELD_OUT_IDENTITIES for identity in chosen)
    wanted = (np.arange(count) + 0.5) / count
    np.testing.assert_allclose([identity.skin_luminance for identity in chosen], wanted, atol=0.06)
