"""What a system's map shows over a whole video: the box that the body moves in, or hands and arms.

movement    fixed box, drawn once
hand_maps   a voice -> stage 1 -> hands    or a hand track, fitted to the portrait -> hands
            hands + the portrait's shoulders -> arms -> maps, drawn segment by segment
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .. import bundled
from ..checkpoints.gestures import load_gestures
from ..controls.movement_map import draw_movement_map, fixed_box
from ..errors import ConfigError
from ..gesture.sampling import generate_motion
from ..hands.alignment import align_track
from ..hands.arms import with_arms
from ..hands.body_offset import body_offset
from ..hands.confidence import wanted_confidence
from ..hands.drawing.motion_maps import MotionMaps
from ..hands.fit import with_parameters
from ..hands.parameters import HandParameters
from ..hands.sizes import hand_sizes
from ..hands.skeleton import SIDES
from ..hands.track import HandTrack, load_hand_track
from ..hands.track_length import WHEN_SHORT, at_rate
from ..systems.spec import SystemSpec
from ..systems.track import Maps
from ..types import Pose

Tell = Callable[[int, int], None]  # (done, total); raises to cancel
DRIVABLE = ("movement", "hand_maps")


@dataclass(frozen=True, eq=False, kw_only=True)
class Driven:
    """What a Track takes of it: maps, and how sure a detector would be of each hand, see Track."""

    maps_FCYX: Tensor | Maps
    confidence_F2: Tensor


@dataclass(frozen=True, kw_only=True)
class Driving:
    """What may be chosen; None means the weights' own value.

    Units:    movement: width and height of the movement box as fractions of the picture; amplitude: of the
              left and the right hand, times what is usual
    track: a hand track file that drives instead of the voice; when_short: what to do where it ends before the
    sound: "hold last", "loop" or "error". gestures: weights of stage 1; None: the bundled ones.
    """

    movement: tuple[float, float] | None = None
    track: Path | None = None
    when_short: str = WHEN_SHORT[0]
    gestures: Path | None = None
    amplitude: tuple[float, float] | None = None
    style: str = "speaking"


def driving_maps(
    spec: SystemSpec,
    portrait: Pose,
    driving: Driving,
    *,
    audio_FD: Tensor,
    fps: float,
    seed: int,
    tell: Tell | None = None,
) -> Driven:
    """Draw, or be ready to draw, what drives each frame of a video.

    Shapes:   audio_FD (F, D) speech features at fps, of the whole video
    Raises:   ConfigError: hands were chosen for a system that is not driven by them, or its maps cannot be
              drawn from a voice; whatever reading a track or weights raises
    """
    if spec.map_kind == "movement":
        if driving.track is not None:
            raise ConfigError(
                f"A hand track was given, but '{spec.name}' is driven by a movement box; leave the track "
                "out, or take weights that are driven by hands."
            )
        width_frac, height_frac = driving.movement or spec.movement_box
        box = fixed_box(portrait, width_frac=width_frac, height_frac=height_frac)
        drawn = draw_movement_map(box, height=spec.height, width=spec.width)[None]
        return Driven(maps_FCYX=drawn, confidence_F2=torch.zeros(1, len(SIDES)))
    hands = (
        _spoken(portrait, driving, audio_FD=audio_FD, fps=fps, seed=seed, tell=tell)
        if driving.track is None
        else _tracked(portrait, driving, frames=len(audio_FD), fps=fps, tell=tell)
    )
    return Driven(
        maps_FCYX=MotionMaps(hands, with_arms(hands, portrait)),
        confidence_F2=torch.from_numpy(wanted_confidence(hands.valid_FH, high=spec.hand_confidence)),
    )


def _spoken(
    portrait: Pose, driving: Driving, *, audio_FD: Tensor, fps: float, seed: int, tell: Tell | None
) -> HandParameters:
    model = load_gestures(driving.gestures or bundled.require(bundled.GESTURES))
    if fps != model.fps:
        raise ConfigError(
            f"A video of {fps:g} frames per second was asked for, but hands are made from the voice at "
            f"{model.fps:g}; ask for that rate, or give a hand track."
        )
    return generate_motion(
        model,
        audio_FD=audio_FD,
        frames=len(audio_FD),
        seed=seed,
        style=driving.style,
        amplitudes=(None, None) if driving.amplitude is None else model.amplitudes(driving.amplitude),
        offset_FD=body_offset(portrait),
        sizes_frac=hand_sizes(portrait),
        progress=tell,
    )


def _tracked(
    portrait: Pose, driving: Driving, *, frames: int, fps: float, tell: Tell | None
) -> HandParameters:
    assert driving.track is not None
    track: HandTrack = at_rate(load_hand_track(driving.track), fps, frames, when_short=driving.when_short)
    fitted = with_parameters(align_track(track, portrait), progress=tell).parameters
    assert fitted is not None
    return fitted
