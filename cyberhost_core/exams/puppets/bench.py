"""The bench: one run that says how well a model makes puppets talk.

    held-out puppets x held-out voices --Model--> clips --+
                                       --Truth--> clips --+--> the same measures --> rows with targets

Base clips give lip sync, hands, identity, likeness, seams and speed; short extra clips ask for several
movement boxes and several hand clarities. Nobody and no voice in it was ever trained on.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ...conditioners.drawn_maps import DrawnMaps
from ...errors import ConfigError
from ...pipeline.generate import Progress
from ...pipeline.options import Networks
from ...pipeline.talker import Talker
from ...puppets.speech import bundled_utterances
from ...reports.machine import describe_machine, peak_memory_mb
from ...reports.tables import BenchReport
from ...systems.spec import SystemSpec
from .bench_rows import bench_rows
from .measures import Footage, Numbers, measure, portrait_looks
from .plan import BenchConfig, Plan, Shots, plan_takes, require_between
from .takes import Clip, Model, Stage, Truth, cast_actors, true_opening

__all__ = ["BenchConfig", "evaluate_puppets", "evaluate_talker"]

OnProgress = Callable[[Progress], None]


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
    talker = Talker.load(checkpoint_path, networks=Networks(pose_detector=pose_detector_path))
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
        require_between(getattr(config, name), name, at_least=2, at_most=min(map(len, voices.values())))
    actors = cast_actors(talker, count=config.clips)
    portraits = [portrait_looks(actor, face_identity=talker.face_identity) for actor in actors]
    plan = plan_takes(actors, config, box=_box(spec))

    def shoot_and_measure(name: str, stage: Stage) -> tuple[Footage, Numbers]:
        footage = _shoot(stage, plan, on_frames=lambda done: show(Progress(name, done, plan.frames)))
        kept, face_identity = spec.long_video.kept, talker.face_identity
        return footage, measure(
            footage, portraits=portraits, voices=voices, kept=kept, face_identity=face_identity
        )

    footage, numbers = shoot_and_measure("generate", Model(talker, steps=config.steps))
    truth = Truth(talker.pose_detector, height=spec.height, width=spec.width)
    _, ceilings = shoot_and_measure("render", truth)
    return BenchReport(
        title=title,
        machine=describe_machine(),
        settings={"system": spec.name, **asdict(config), "steps": config.steps or spec.schedule.steps},
        rows=bench_rows(numbers | _costs(footage), ceilings=ceilings),
    )


def _shoot(stage: Stage, plan: Plan, *, on_frames: Callable[[int], None]) -> Footage:
    """Shoot every take, and say after each how many frames are done."""
    done = 0

    def shoot(shots: Shots) -> list[Clip]:
        nonlocal done
        clips = []
        for actor, take in shots:
            clips.append(stage.shoot(actor, take))
            done += take.frames
            on_frames(done)
        return clips

    on_frames(done)
    return Footage(
        base=shoot(plan.base),
        movement=[shoot(shots) for shots in plan.movement],
        clarity=[shoot(shots) for shots in plan.clarity],
    )


def _box(spec: SystemSpec) -> tuple[float, float]:
    """The usual movement box.

    Raises:   ConfigError: the system is not driven by one
    """
    boxes = [maps.box for maps in spec.listed(DrawnMaps) if maps.drawing == "movement"]
    if not boxes:
        raise ConfigError(
            f"'{spec.name}' is not driven by a movement box, but the bench asks for several; give weights of "
            "a talking body, or run 'cyberhost evaluate gestures' for EMO2."
        )
    return boxes[0]


def _costs(footage: Footage) -> Numbers:
    frames = sum(len(clip.frames_FYXC) for clip in footage.base)
    seconds = sum(clip.seconds for clip in footage.base)
    return {"seconds_per_frame": seconds / frames, "peak_memory_mb": peak_memory_mb()}
