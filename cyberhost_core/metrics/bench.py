"""The bench: one run that says how well a model makes puppets talk.

    held-out puppets x held-out voices --Model--> clips --+
                                       --Truth--> clips --+--> the same measures --> rows with targets

Base clips give lip sync, hands, identity, likeness, seams and speed; short extra clips ask for several
movement boxes and several hand clarities. Nobody and no voice in it was ever trained on.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .. import bundled
from ..checkpoints.file import load_checkpoint
from ..errors import ConfigError
from ..pipeline import Progress, Talker, peak_memory_mb
from ..puppets.speech import bundled_utterances
from ..puppets.split import HELD_OUT_IDENTITIES
from .bench_rows import bench_rows
from .machine import describe_machine
from .measures import Footage, measure, portrait_looks
from .report import BenchReport
from .takes import Actor, Clip, Model, Stage, Take, Truth, cast_actors, true_opening

OnProgress = Callable[[Progress], None]
Shots = list[list[tuple[Actor, Take]]]  # rows of what belongs together


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """Say how much to shoot. The default takes minutes on two cores; `quick` is too short to judge a model.

    Units:    steps: None means the checkpoint's own; movement_boxes: width and height as fractions of the
              picture, small to large; clarity_levels: how many from 0 to 1
    Raises:   ConfigError: a count that cannot be shot
    """

    clips: int = 10
    frames: int = 60
    seed: int = 0
    steps: int | None = None
    movement_clips: int = 4
    movement_frames: int = 36
    movement_boxes: tuple[tuple[float, float], ...] = ((0.02, 0.01), (0.1, 0.04), (0.2, 0.08))
    clarity_clips: int = 4
    clarity_frames: int = 24
    clarity_levels: int = 5

    def __post_init__(self) -> None:
        _require(self.clips, "clips", at_least=1, at_most=len(HELD_OUT_IDENTITIES))
        for name in ("movement_clips", "clarity_clips"):
            _require(getattr(self, name), name, at_least=1, at_most=self.clips)
        _require(len(self.movement_boxes), "movement_boxes", at_least=2, at_most=100)
        _require(self.clarity_levels, "clarity_levels", at_least=2, at_most=100)

    @staticmethod
    def quick() -> "BenchConfig":
        """The smallest bench that touches everything: 3 clips of 24 frames and 5 shorter extras."""
        return BenchConfig(
            clips=3, frames=24,
            movement_clips=1, movement_frames=24, clarity_clips=1, clarity_frames=12, clarity_levels=3,
        )  # fmt: skip


def evaluate_puppets(
    checkpoint_path: Path,
    *,
    config: BenchConfig,
    pose_detector_path: Path | None = None,
    on_progress: OnProgress | None = None,
) -> BenchReport:
    """Run the bench on a checkpoint.

    Raises:   CheckpointError: the file cannot be used; PoseError: the detector finds no puppet
    Source:   ours; CyberHost (ICLR 2025) section 4.1 for HKC, HKV, CSIM, SSIM and PSNR
    """
    checkpoint = load_checkpoint(checkpoint_path)
    detector_path = pose_detector_path or bundled.require(bundled.POSE_DETECTOR)
    talker = Talker(checkpoint, pose_detector_path=detector_path)
    return evaluate_talker(
        talker, config=config, title=f"Puppet bench of {checkpoint_path}", on_progress=on_progress
    )


def evaluate_talker(
    talker: Talker, *, config: BenchConfig, title: str = "Puppet bench", on_progress: OnProgress | None = None
) -> BenchReport:
    """Run the bench on a model that is loaded already.

    Raises:   PoseError: the detector finds no puppet; ConfigError: clips longer than the shortest held-out
              voice
    """
    show = on_progress or (lambda _progress: None)
    spec = talker.spec
    voices = {utterance.name: true_opening(utterance) for utterance in bundled_utterances("held_out")}
    for name in ("frames", "movement_frames", "clarity_frames"):
        _require(getattr(config, name), name, at_least=2, at_most=min(map(len, voices.values())))
    actors = cast_actors(talker, count=config.clips)
    portraits = [portrait_looks(actor, face_identity=talker.face_identity) for actor in actors]
    model = Model(talker, steps=config.steps)
    truth = Truth(talker.pose_detector, height=spec.height, width=spec.width)
    stages: dict[str, Stage] = {"generate": model, "render": truth}
    footage, numbers = {}, {}
    for name, stage in stages.items():
        footage[name] = _shoot_all(stage, name, actors, config=config, box=spec.movement_box, show=show)
        numbers[name] = measure(
            footage[name],
            portraits=portraits,
            voices=voices,
            kept=spec.long_video.kept,
            face_identity=talker.face_identity,
        )
    base = footage["generate"].base
    costs = {
        "seconds_per_frame": sum(clip.seconds for clip in base) / sum(len(clip.pose) for clip in base),
        "peak_memory_mb": peak_memory_mb(),
    }
    settings = asdict(config) | {"steps": config.steps or spec.schedule.steps, "system": spec.name}
    return BenchReport(
        title=title,
        machine=describe_machine(),
        settings=settings,
        rows=bench_rows(numbers["generate"] | costs, ceilings=numbers["render"]),
    )


def _shoot_all(
    stage: Stage,
    name: str,
    actors: list[Actor],
    *,
    config: BenchConfig,
    box: tuple[float, float],
    show: OnProgress,
) -> Footage:
    """Shoot every take of the bench, and say after each how far it is."""
    parts = (
        _base_takes(actors, config, box),
        _movement_takes(actors, config),
        _clarity_takes(actors, config, box),
    )
    total, done = sum(take.frames for part in parts for row in part for _, take in row), 0

    def shoot(actor: Actor, take: Take) -> Clip:
        nonlocal done
        clip = stage.shoot(actor, take)
        done += take.frames
        show(Progress(name, done, total))
        return clip

    show(Progress(name, done, total))
    base, by_box, by_level = ([[shoot(actor, take) for actor, take in row] for row in part] for part in parts)
    return Footage(base=[clip for row in base for clip in row], movement=by_box, clarity=by_level)


def _base_takes(actors: list[Actor], config: BenchConfig, box: tuple[float, float]) -> Shots:
    return [
        [(actor, Take(seed=config.seed + number, frames=config.frames, movement=box))]
        for number, actor in enumerate(actors)
    ]


def _movement_takes(actors: list[Actor], config: BenchConfig) -> Shots:
    """One row per actor: nothing changes in it but the box."""
    return [
        [
            (actor, Take(seed=config.seed + number, frames=config.movement_frames, movement=box))
            for box in config.movement_boxes
        ]
        for number, actor in enumerate(_spread(actors, config.movement_clips))
    ]


def _clarity_takes(actors: list[Actor], config: BenchConfig, box: tuple[float, float]) -> Shots:
    """One row per actor: nothing changes in it but the clarity."""
    levels = np.linspace(0.0, 1.0, config.clarity_levels).tolist()
    return [
        [
            (
                actor,
                Take(
                    seed=config.seed + number, frames=config.clarity_frames, movement=box, hand_clarity=level
                ),
            )
            for level in levels
        ]
        for number, actor in enumerate(_spread(actors, config.clarity_clips))
    ]


def _spread(actors: list[Actor], count: int) -> list[Actor]:
    """Choose some actors, evenly over all."""
    return [actors[(2 * number + 1) * len(actors) // (2 * count)] for number in range(count)]


def _require(value: int, name: str, *, at_least: int, at_most: int) -> None:
    if not at_least <= value <= at_most:
        raise ConfigError(
            f"The bench was asked for {name} = {value}, but {at_least} to {at_most} was expected; "
            "choose a number in this range."
        )
