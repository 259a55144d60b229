"""Render a talking puppet with everything known about it: the training and bench data of the tiny system.

voice --mouth_shape, prosody--> lips, head, hands --geometry--> keypoints (exact) --renderer--> pixels
identity seed: how it looks          performance seed: how it moves
"""

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from ..errors import ConfigError
from ..hands.skeleton import SIDES
from ..types import Pose
from ..units import SPEECH_RATE_HZ, frame_count
from .body import NECK, arms, whole_pose
from .face import face_geometry
from .gesture import HAND_LENGTH_FRAC, gesture, neutral_gesture
from .hand import HandMotion, projected_keypoints
from .identity import Identity, random_identity
from .mouth import NEUTRAL_WIDTH, MouthShape, mouth_shape
from .performance import BodyMotion, Performance, body_motion, random_performance
from .prosody import prosody
from .renderer import Scene, render_frames
from .speech import Utterance

HEIGHT, WIDTH = 128, 96
FPS = 25

Track = TypeVar("Track", MouthShape, BodyMotion, HandMotion)


@dataclass(frozen=True)
class PuppetVideo:
    """Hold one rendered clip and its truth.

    Shapes:   frames_FYXC (F, Y, X, 3) uint8 RGB; wave_T (T,) float32 mono 16 kHz, cut or padded to the frames
    """

    frames_FYXC: np.ndarray
    pose: Pose
    mouth: MouthShape
    wave_T: np.ndarray
    hands: HandMotion
    identity: Identity
    performance: Performance


def render_video(
    identity_seed: int, *, utterance: Utterance, performance_seed: int, frames: int | None = None
) -> PuppetVideo:
    """Render a puppet that speaks an utterance; frames None means the whole sound."""
    performance = random_performance(performance_seed)
    return render_performance(
        random_identity(identity_seed), utterance=utterance, performance=performance, frames=frames
    )


def render_performance(
    identity: Identity,
    *,
    utterance: Utterance,
    performance: Performance,
    frames: int | None = None,
    first: int = 0,
    height: int = HEIGHT,
    width: int = WIDTH,
) -> PuppetVideo:
    """Render a clip with settings of one's own, for example a movement box of a wanted size.

    first skips that many frames of the sound; lips and gestures still know the whole utterance.

    Raises:   ConfigError: the picture is not 4:3 upright, or no frame was asked for
    """
    if height * 3 != width * 4:
        raise ConfigError(
            f"A puppet picture of {height} x {width} was asked for; give a height of 4/3 of the width."
        )
    whole = frame_count(len(utterance.wave_T), rate_hz=SPEECH_RATE_HZ, fps=FPS)
    count = whole - first if frames is None else frames
    if count < 1:
        raise ConfigError(f"{count} frames were asked for; give at least 1, or a sound that is not empty.")
    # Act for the whole sound even when few frames are wanted: a short clip is the beginning of the long one.
    acted = max(whole, first + count)
    mouth = mouth_shape(utterance.wave_T, fps=FPS, frames=acted)
    beats = prosody(utterance.wave_T, fps=FPS, frames=acted)
    motion = body_motion(performance, beats=beats, mouth=mouth, fps=FPS)
    hands = gesture(
        performance, beats=beats, offset_F2=motion.offset_F2, hand_size=identity.hand_size, fps=FPS
    )
    span = slice(first, first + count)
    mouth, motion, hands = _cut(mouth, span), _cut(motion, span), _cut(hands, span)
    pictures, pose = _picture(
        identity, performance, motion=motion, mouth=mouth, hands=hands, height=height, width=width
    )
    begin, samples = (round(n * SPEECH_RATE_HZ / FPS) for n in (first, count))
    heard = utterance.wave_T[begin : begin + samples]
    wave = np.pad(heard, (0, samples - len(heard))).astype(np.float32)
    return PuppetVideo(pictures, pose, mouth, wave, hands, identity, performance)


def reference_portrait(
    identity_seed: int, *, height: int = HEIGHT, width: int = WIDTH
) -> tuple[np.ndarray, Pose]:
    """Draw a puppet at rest, mouth shut, hands open: uint8 RGB (height, width, 3) and its one-frame Pose."""
    identity, none = random_identity(identity_seed), np.zeros(1)
    still = Performance(
        seed=0, sway_x=0, sway_y=0, gesture_speed=0, gesture_size=0, exposure_frames=0, defocus=0
    )
    motion = BodyMotion(np.zeros((1, 2)), none, none, none, none, none)
    mouth = MouthShape(np.zeros(1, np.float32), np.full(1, NEUTRAL_WIDTH, np.float32))
    hands = neutral_gesture(hand_size=identity.hand_size)
    frames, pose = _picture(
        identity, still, motion=motion, mouth=mouth, hands=hands, height=height, width=width
    )
    return frames[0], pose


def _cut(track: Track, span: slice) -> Track:
    """Keep some frames of a dataclass of arrays."""
    return type(track)(*(getattr(track, field.name)[span] for field in fields(track)))


def _picture(
    identity: Identity,
    performance: Performance,
    *,
    motion: BodyMotion,
    mouth: MouthShape,
    hands: HandMotion,
    height: int,
    width: int,
) -> tuple[np.ndarray, Pose]:
    """Lay out all geometry in pixels of a 128 high picture, draw it, and hand over its keypoints."""
    size = HAND_LENGTH_FRAC * identity.hand_size
    keypoints = [
        projected_keypoints(hands, side=side, size_frac=size, height=128, width=96) for side in SIDES
    ]
    hands_F2K3 = np.stack(keypoints, axis=1)
    face = face_geometry(identity, motion=motion, mouth=mouth)
    arms_F2J2 = arms(identity, motion=motion, wrists_F23=hands_F2K3[:, :, 0])
    scene = Scene(
        identity, face, np.array(NECK) + motion.offset_F2, arms_F2J2, hands_F2K3,
        performance.exposure_frames, performance.defocus,
    )  # fmt: skip
    pose = whole_pose(face, arms_F2J2, hands_F2K3[..., :2], motion=motion, height=height, width=width)
    return render_frames(scene, height=height, width=width), pose
