"""From a voice's features to a hand track on the portrait's canvas.

AudioTrack --at the model's rate--> generate_motion --at the video's rate--> HandTrack
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...cyberhost_core.errors import ConfigError
from ...cyberhost_core.hands.arms import with_arms
from ...cyberhost_core.hands.body_offset import body_offset
from ...cyberhost_core.hands.parameters import HandParameters
from ...cyberhost_core.hands.poses import pose_from_parameters
from ...cyberhost_core.hands.sizes import hand_sizes
from ...cyberhost_core.hands.track import HandTrack, at_fps, with_length
from ...cyberhost_core.types import Pose
from ...cyberhost_core.units import between_frames
from ..bridge.gesture_models import load_gesture_model
from ..bridge.progress import counted_steps
from .person import LARGEST
from .poses import pose_of
from .types import AudioTrack

_HEARD = "wav2vec2"
_WIDTH, _HEIGHT = 768, 1024  # of the canvas where no portrait gives one


@dataclass(frozen=True)
class MotionRequest:
    """What the user asks of the motion.

    amplitudes: left, right, as factors of the training data's; picture: a native CLIP_VISION_OUTPUT or None;
    steps: None as the model asks; hands: which to move, left and right
    """

    seed: int
    style: str
    amplitudes: tuple[float, float]
    picture: Any
    steps: int | None
    hands: tuple[bool, bool]


@dataclass(frozen=True)
class GeneratedHands:
    """A track, and what the user should know of how it came about."""

    track: HandTrack
    notices: list[str]


def gestures(
    audio: AudioTrack, portrait: list[dict[str, Any]] | None, wanted: MotionRequest, *, model: Path
) -> GeneratedHands:
    """Make hands for a voice.

    Raises:   ConfigError: features or a style that the model was not trained with
              CheckpointError: no gesture model; PoseError: the portrait shows nobody, or no shoulders
    """
    if audio.hearing != _HEARD:
        raise ConfigError(
            f"The audio features are of kind '{audio.hearing}', but hands are made from plain {_HEARD} "
            "features; connect Load CyberHost's audio_encoder of a checkpoint that uses them, such as the "
            "bundled one."
        )
    person = None if portrait is None else pose_of(portrait, LARGEST)[:1]
    patcher = load_gesture_model(model)
    network = patcher.model
    rate, notices = float(network.fps), []
    if rate != audio.fps:
        notices.append(f"The hands were made at {rate:g} frames per second and moved to {audio.fps:g}.")
    parameters = _motion(network, audio, person=person, wanted=wanted, notice=notices.append)
    pose = (
        pose_from_parameters(parameters, height=_HEIGHT, width=_WIDTH)
        if person is None
        else with_arms(parameters, person)
    )
    track = HandTrack(pose, fps=rate, source=parameters.source, parameters=parameters)
    if rate != audio.fps:
        track = with_length(at_fps(track, audio.fps), len(audio.features_FD))
    return GeneratedHands(track, notices)


def _motion(
    network: Any,
    audio: AudioTrack,
    *,
    person: Pose | None,
    wanted: MotionRequest,
    notice: Callable[[str], None],
) -> HandParameters:
    from ...cyberhost_core.gesture.sampling import generate_motion

    audio_FD = _at_rate(audio, float(network.fps))
    told: dict[str, Any] = {}
    if person is not None:
        told = {"offset_FD": body_offset(person), "sizes_frac": hand_sizes(person)}
    return generate_motion(
        network,
        audio_FD=audio_FD,
        frames=len(audio_FD),
        seed=wanted.seed,
        style=wanted.style,
        amplitudes=network.amplitudes(wanted.amplitudes),
        image_D=_picture(wanted.picture, width=network.config.transformer.image_dim),
        hands=wanted.hands,
        steps=wanted.steps,
        progress=counted_steps(),
        notice=notice,
        **told,
    )


def _picture(picture: Any, *, width: int) -> Tensor | None:
    """Take the embedding of one picture out of a native CLIP_VISION_OUTPUT."""
    if picture is None:
        return None
    image_BD = picture.image_embeds
    if not width or tuple(image_BD.shape) != (1, width):
        wanted = f"one picture in {width} numbers was expected" if width else "this model takes no picture"
        raise ConfigError(
            f"The CLIP vision output has the shape {list(image_BD.shape)}, but {wanted}; "
            + ("encode one picture with CLIP ViT-L/14." if width else "disconnect it.")
        )
    return image_BD[0].float()


def _at_rate(audio: AudioTrack, fps: float) -> Tensor:
    """Look the middle of each frame at another rate up between two rows, (F, D) float32."""
    rows_FD = audio.features_FD.float()
    if fps == audio.fps:
        return rows_FD
    frames = int(np.ceil(len(rows_FD) * fps / audio.fps))
    before_F, after_F, share_F = between_frames(len(rows_FD), fps=audio.fps, new_fps=fps, frames=frames)
    share_F1 = torch.from_numpy(share_F).float()[:, None]
    return torch.lerp(rows_FD[before_F], rows_FD[after_F], share_F1)
