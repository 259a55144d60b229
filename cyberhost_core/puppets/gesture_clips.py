"""Puppets' hands and what they hear, without drawing them: what the tiny stage 1 of EMO2 learns from.

number -> voice, sentences, performance, identity --geometry--> HandParameters with the body's place and limbs
       -> sound --speech encoder--> features at the motion's rate

Drawing takes seconds per clip and the motion alone takes milliseconds, so that long clips are cheap.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..controls.audio_windows import interpolate_to_fps
from ..data.gesture_store import (
    GestureClip,
    GestureIndex,
    has_gesture_clip,
    write_gesture_clip,
    write_gesture_index,
)
from ..hands.body_offset import body_offset
from ..hands.limbs import limbs_of
from ..hands.parameters import HandParameters
from ..perception.speech import SpeechFeatures
from ..types import BODY_POINTS, FACE_POINTS, HAND_POINTS, Pose
from ..units import SPEECH_RATE_HZ, frame_count
from .body import NECK, SHOULDER_X, SHOULDER_Y, arms
from .gesture import HAND_LENGTH_FRAC, gesture
from .hand import HandMotion
from .identity import Identity, random_identity
from .mouth import mouth_shape
from .performance import BodyMotion, Performance, body_motion, random_performance
from .prosody import prosody
from .speech import Utterance, synthesize
from .split import TRAIN_IDENTITIES
from .world import FPS, HEIGHT, WIDTH

SHORTEST_SECS, LONGEST_SECS = 2.4, 22.0  # of speech: from less than one sequence to several
_SOURCE = "a drawn puppet"
_RIGHT_SHOULDER, _RIGHT_ELBOW, _LEFT_SHOULDER, _LEFT_ELBOW = 2, 3, 5, 6  # OpenPose
Say = Callable[[int, int], None]  # (done, total)


def puppet_utterance(number: int) -> Utterance:
    """Speak for clip `number` with a voice to train on, evenly between SHORTEST_SECS and LONGEST_SECS.

    Raises:   MissingExtraError: espeak-ng is not installed
    """
    rng = np.random.default_rng([number, 0x6E57])
    return synthesize(number, split="train", least_secs=float(rng.uniform(SHORTEST_SECS, LONGEST_SECS)))


def puppet_hands(
    utterance: Utterance, *, performance: Performance, identity: Identity, frames: int | None = None
) -> HandParameters:
    """Let a puppet gesture to a sound, by default to its end.

    Shapes:   result F frames, both hands always there, and the limbs that the picture shows
    """
    whole = frame_count(len(utterance.wave_T), rate_hz=SPEECH_RATE_HZ, fps=FPS)
    frames = frames or whole
    beats = prosody(utterance.wave_T, fps=FPS, frames=frames)
    mouth = mouth_shape(utterance.wave_T, fps=FPS, frames=frames)
    motion = body_motion(performance, beats=beats, mouth=mouth, fps=FPS)
    hands = gesture(
        performance, beats=beats, offset_F2=motion.offset_F2, hand_size=identity.hand_size, fps=FPS
    )
    parameters = HandParameters.from_axis_angles(
        hands.rotations,
        hands.translations,
        fps=float(FPS),
        source=_SOURCE,
        sizes_frac_FH=np.full((1, 2), HAND_LENGTH_FRAC * identity.hand_size),
        offset_FD=_offset(motion, identity),
    )
    return replace(parameters, limbs_FKC=_limbs(motion, identity, hands=hands))


def resting_offset(identity: Identity) -> np.ndarray:
    """Tell where a puppet's body is in its portrait: (1, 8), see body_offset."""
    none = np.zeros(1)
    return _offset(BodyMotion(np.zeros((1, 2)), none, none, none, none, none), identity)


def puppet_clip(number: int, *, speech: SpeechFeatures) -> GestureClip:
    """Make clip `number` to train on; the same number gives the same clip."""
    utterance = puppet_utterance(number)
    parameters = puppet_hands(
        utterance,
        performance=random_performance(number),
        identity=random_identity(TRAIN_IDENTITIES[number % len(TRAIN_IDENTITIES)]),
    )
    heard = interpolate_to_fps(speech.extract(utterance.wave_T), frames=len(parameters), fps=FPS)
    return GestureClip(parameters=parameters, audio_FD=heard.numpy().astype(np.float16))


def prepare_gestures(folder: Path, numbers: Iterable[int], *, speech: SpeechFeatures, say: Say) -> None:
    """Write clips into a store; those that are there already are kept, so a killed run goes on."""
    wanted = list(numbers)
    names = tuple(f"{number:06d}" for number in wanted)
    for done, (number, name) in enumerate(zip(wanted, names, strict=True), start=1):
        if not has_gesture_clip(folder, name):
            write_gesture_clip(folder, name, puppet_clip(number, speech=speech))
        say(done, len(wanted))
    write_gesture_index(folder, GestureIndex(fps=float(FPS), audio_dim=speech.size, ids=names))


def _offset(motion: BodyMotion, identity: Identity) -> np.ndarray:
    """Place the shoulders, which ride on the sway, and measure them as those of any pose."""
    neck_F2 = np.array(NECK) + motion.offset_F2
    shoulders = {
        point: neck_F2 + np.array((outward * SHOULDER_X * identity.shoulder_size, SHOULDER_Y))
        for point, outward in ((_LEFT_SHOULDER, 1.0), (_RIGHT_SHOULDER, -1.0))
    }
    return body_offset(_pose(shoulders))


def _limbs(motion: BodyMotion, identity: Identity, *, hands: HandMotion) -> np.ndarray:
    """Place the arms that hold the hands; a puppet's legs are below its picture."""
    wrists_F23 = hands.translations * (WIDTH, HEIGHT, HEIGHT)
    left_FJ2, right_FJ2 = arms(identity, motion=motion, wrists_F23=wrists_F23).swapaxes(0, 1)
    shown = {
        _LEFT_SHOULDER: left_FJ2[:, 0],
        _LEFT_ELBOW: left_FJ2[:, 1],
        _RIGHT_SHOULDER: right_FJ2[:, 0],
        _RIGHT_ELBOW: right_FJ2[:, 1],
    }
    return limbs_of(_pose(shown))


def _pose(points: dict[int, np.ndarray]) -> Pose:
    """Make a pose of some points of the body (F, 2), seen where they are inside the picture."""
    frames = len(next(iter(points.values())))
    body_FKC = np.zeros((frames, BODY_POINTS, 3), dtype=np.float32)
    for point, place_F2 in points.items():
        body_FKC[:, point, :2] = place_F2
        body_FKC[:, point, 2] = ((place_F2 >= 0) & (place_F2 < (WIDTH, HEIGHT))).all(axis=-1)
    hands = np.zeros((frames, HAND_POINTS, 3), dtype=np.float32)
    face = np.zeros((frames, FACE_POINTS, 3), dtype=np.float32)
    return Pose(body_FKC, face, hands, hands, height=HEIGHT, width=WIDTH)
