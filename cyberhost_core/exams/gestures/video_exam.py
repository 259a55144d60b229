"""The exam of EMO2's stage 2: held-out puppets through both stages; where hands land, how lips move.

held-out puppet + voice --stage 1--> hands --stage 2--> frames --pose detector--> landing, lip sync
                                       |    the hands of another clip: what chance gives
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...conditioners.drawn_maps import DrawnMaps
from ...config import Config
from ...errors import ConfigError
from ...hands.drawing.motion_maps import MotionMaps
from ...hands.poses import pose_from_parameters
from ...media.audio import Sound
from ...metrics.hand_landing import hand_landing
from ...metrics.lip_sync import lip_sync, mouth_opening, shuffled_lip_sync
from ...perception.protocols import FindsPoseInBoxes
from ...pipeline.options import Driving, GenerateOptions, Networks
from ...pipeline.talker import Talker
from ...puppets.performance import random_performance
from ...puppets.world import FPS, render_performance
from ...types import Pose
from ...units import SPEECH_RATE_HZ
from ..puppets.takes import Actor, cast_actors, true_opening
from .gesture_report import GestureSection, SeedRow

Say = Callable[[str, int, int], None]  # (stage, done, total)


class VideoExam(Config):
    """What is asked: every seed shoots every actor once."""

    actors: int = 2
    seeds: tuple[int, ...] = (0, 1, 2)
    frames: int = 40
    steps: int | None = None


@dataclass(frozen=True, eq=False)
class _Shot:
    """What the detector sees in a clip, and where its hands were driven to; both of the same frames."""

    actor: Actor
    seen: Pose
    driven: Pose


def examine_video(path: Path, *, gestures: Path, detector: Path, exam: VideoExam, say: Say) -> GestureSection:
    """Run both stages on held-out puppets and measure the frames.

    Raises:   ConfigError: the weights are not driven by hands; whatever loading them raises
    """
    talker = Talker.load(path, networks=Networks(pose_detector=detector))
    if not any(maps.drawing == "hand_maps" for maps in talker.spec.listed(DrawnMaps)):
        raise ConfigError(
            f"'{talker.spec.name}' is not driven by hand maps, but weights that are driven by hands were "
            "expected; give the weights of EMO2's second stage."
        )
    actors = cast_actors(talker, count=exam.actors)
    total = len(exam.seeds) * len(actors)
    shots: dict[int, list[_Shot]] = {seed: [] for seed in exam.seeds}
    for number, (seed, actor) in enumerate((seed, actor) for seed in exam.seeds for actor in actors):
        shots[seed].append(_shoot(talker, actor, gestures=gestures, exam=exam, seed=seed))
        say("video", number + 1, total)
    everything = [shot for of_seed in shots.values() for shot in of_seed]
    true = [_true_landing(talker.pose_detector, actor, exam=exam, talker=talker) for actor in actors]
    driven = _over_seeds(shots, lambda shot: hand_landing(shot.seen, shot.driven).distance_px)
    others = _over_seeds(shots, lambda shot: _landing_elsewhere(shot, everything))
    found = _over_seeds(shots, lambda shot: hand_landing(shot.seen, shot.driven).found)
    lips = _over_seeds(shots, lambda shot: lip_sync(_mouth(shot), _opening(shot)).correlation)
    deaf = _over_seeds(shots, lambda shot: shuffled_lip_sync(_mouth(shot), _other_voices(shot, actors)))
    margin = others - driven
    bound = max(float(np.ptp(driven)), float(np.ptp(others)))
    return GestureSection(
        title=f"Stage 2: video from hands and sound ({path.name})",
        rows=[
            _row("landing", "hands off the driven ones (px)", driven, truth=float(np.mean(true)),
                 comment="true motion: the detector on true renders"),
            _row("landing_others", "  off other clips' hands (px)", others, comment="what chance gives"),
            replace(
                _row("landing_margin", "nearer to the driven ones (px)", margin),
                target=f"> {bound:.3f}",
                passed=bool(margin.mean() > bound),
                comment="target: more than the spread of both",
            ),
            _row("hands_found", "driven points found (share)", found),
            _row("lip_sync", "lip sync (correlation)", lips),
            _row("lip_sync_others", "  other voices", deaf, comment="near 0 is right"),
        ],
    )  # fmt: skip


def _shoot(talker: Talker, actor: Actor, *, gestures: Path, exam: VideoExam, seed: int) -> _Shot:
    options = GenerateOptions(seed=seed, steps=exam.steps, fps=FPS, driving=Driving(gestures=gestures))
    sound = Sound(actor.utterance.wave_T[None], SPEECH_RATE_HZ, name=actor.utterance.name)
    track = talker.track(sound, actor.portrait, options)
    maps = track.values["maps"]
    assert isinstance(maps, MotionMaps)
    cut = track.first(exam.frames)
    pieces = list(talker.frames(actor.reference, cut, options, on_step=lambda _done, _total: None))
    frames_FYXC = np.concatenate(pieces)
    height, width = frames_FYXC.shape[1:3]
    driven = pose_from_parameters(maps.hands[slice(0, len(frames_FYXC))], height=height, width=width)
    return _Shot(actor, talker.pose_detector.detect(frames_FYXC, padding=1.0), driven)


def _true_landing(detector: FindsPoseInBoxes, actor: Actor, *, exam: VideoExam, talker: Talker) -> float:
    """How far the detector's hands are from those of a true render."""
    video = render_performance(
        actor.identity,
        utterance=actor.utterance,
        performance=random_performance(actor.identity.seed),
        frames=exam.frames,
        height=talker.spec.height,
        width=talker.spec.width,
    )
    return hand_landing(detector.detect(video.frames_FYXC, padding=1.0), video.pose).distance_px


def _landing_elsewhere(shot: _Shot, everything: Sequence[_Shot]) -> float:
    others = [other for other in everything if other is not shot]
    frames = min(len(shot.seen), *(len(other.driven) for other in others))
    span = slice(0, frames)
    return float(np.mean([hand_landing(shot.seen[span], other.driven[span]).distance_px for other in others]))


def _mouth(shot: _Shot) -> np.ndarray:
    return mouth_opening(shot.seen.face_FKC)


def _opening(shot: _Shot) -> np.ndarray:
    return true_opening(shot.actor.utterance)[: len(shot.seen)]


def _other_voices(shot: _Shot, actors: Sequence[Actor]) -> list[np.ndarray]:
    return [true_opening(actor.utterance) for actor in actors if actor is not shot.actor]


def _over_seeds(shots: dict[int, list[_Shot]], measure: Callable[[_Shot], float]) -> np.ndarray:
    return np.array([np.mean([measure(shot) for shot in of_seed]) for of_seed in shots.values()])


def _row(
    name: str, label: str, values_S: np.ndarray, *, truth: float | None = None, comment: str = ""
) -> SeedRow:
    return SeedRow(
        name=name,
        label=label,
        value=float(values_S.mean()),
        spread=float(np.ptp(values_S)),
        truth=truth,
        comment=comment,
    )
