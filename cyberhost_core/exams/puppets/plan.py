"""The plan of the bench: who plays in which take, and how much of it all.

actors --+--> base: one take each
         +--> some of them: one take per movement box, nothing else changes
         +--> some of them: one take per hand clarity, nothing else changes
"""

from dataclasses import dataclass

import numpy as np

from ...errors import ConfigError
from ...puppets.split import HELD_OUT_IDENTITIES
from .takes import Actor, Take

Shots = list[tuple[Actor, Take]]


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
    movement_frames: int = 30
    movement_boxes: tuple[tuple[float, float], ...] = ((0.02, 0.01), (0.1, 0.04), (0.2, 0.08))
    clarity_clips: int = 3
    clarity_frames: int = 24
    clarity_levels: int = 5

    def __post_init__(self) -> None:
        require_between(self.clips, "clips", at_least=1, at_most=len(HELD_OUT_IDENTITIES))
        for name in ("movement_clips", "clarity_clips"):
            require_between(getattr(self, name), name, at_least=1, at_most=self.clips)
        require_between(len(self.movement_boxes), "movement_boxes", at_least=2, at_most=100)
        require_between(self.clarity_levels, "clarity_levels", at_least=2, at_most=100)

    @staticmethod
    def quick() -> "BenchConfig":
        """The smallest bench that touches everything: 3 clips of 24 frames and 5 shorter extras."""
        return BenchConfig(
            clips=3, frames=24,
            movement_clips=1, movement_frames=24, clarity_clips=1, clarity_frames=12, clarity_levels=3,
        )  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Hold every take: base in one row, movement and clarity in a row per actor, small or low first."""

    base: Shots
    movement: list[Shots]
    clarity: list[Shots]

    @property
    def frames(self) -> int:
        """Frames of all takes."""
        return sum(take.frames for shots in [self.base, *self.movement, *self.clarity] for _, take in shots)


def plan_takes(actors: list[Actor], config: BenchConfig, *, box: tuple[float, float]) -> Plan:
    """Plan all takes; a puppet keeps its seed over all takes of a row.

    Units:    box: width and height of the usual movement box, as fractions of the picture
    """
    levels = np.linspace(0.0, 1.0, config.clarity_levels).tolist()
    return Plan(
        base=[
            (actor, Take(seed=config.seed + number, frames=config.frames, movement=box))
            for number, actor in enumerate(actors)
        ],
        movement=[
            [
                (actor, Take(seed=config.seed + number, frames=config.movement_frames, movement=asked))
                for asked in config.movement_boxes
            ]
            for number, actor in enumerate(_spread(actors, config.movement_clips))
        ],
        clarity=[
            [
                (
                    actor,
                    Take(
                        seed=config.seed + number,
                        frames=config.clarity_frames,
                        movement=box,
                        hand_clarity=level,
                    ),
                )
                for level in levels
            ]
            for number, actor in enumerate(_spread(actors, config.clarity_clips))
        ],
    )


def require_between(value: int, name: str, *, at_least: int, at_most: int) -> None:
    """Refuse a count that is out of range.

    Raises:   ConfigError: it is
    """
    if not at_least <= value <= at_most:
        raise ConfigError(
            f"The bench was asked for {name} = {value}, but {at_least} to {at_most} was expected; "
            "choose a number in this range."
        )


def _spread(actors: list[Actor], count: int) -> list[Actor]:
    """Choose some actors, evenly over all."""
    return [actors[(2 * number + 1) * len(actors) // (2 * count)] for number in range(count)]
