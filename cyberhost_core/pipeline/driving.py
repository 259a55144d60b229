"""What a system's maps show over a whole video, by what it was trained with.

movement    a box that the body moves in, drawn once; with a hand track, hands on it; with a driving video,
            the skeletons of its person instead
hand_maps   a voice -> stage 1 -> hands, or a hand track, fitted to the portrait -> hands and arms, rendered
hands       a hand track, or a driving video's hands, fitted to the portrait, as EchoMimicV2 draws them
face_box    where the portrait's face is
skeleton    the skeletons of a driving video's person
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import bundled
from ..checkpoints.gestures import load_gestures
from ..conditioners.asks import CONFIDENCE, MAP, Ask
from ..conditioners.drawn_maps import Drawing, DrawnMaps
from ..controls.face_masks import face_box_map
from ..controls.hand_drawing import draw_peer_hands_on
from ..controls.movement_map import draw_movement_map, fixed_box
from ..controls.skeleton_map import draw_hands_on, draw_skeleton
from ..errors import ConfigError
from ..gesture.sampling import generate_motion
from ..hands.alignment import align_track
from ..hands.arms import with_arms
from ..hands.body_offset import body_offset
from ..hands.conventions import NOTHING_TOLD
from ..hands.drawing.motion_maps import MotionMaps
from ..hands.fit import with_parameters
from ..hands.parameters import HandParameters
from ..hands.sizes import hand_sizes
from ..hands.track import HandTrack, load_hand_track, pose_at_fps
from ..hands.track_length import WHEN_SHORT, at_rate
from ..media.fit import fit_image
from ..media.probe import video_facts
from ..media.video import iter_frames
from ..perception.pose import require_person
from ..types import Pose
from .drivers import require_drivers
from .options import Driving
from .portrait import Find, Portrait

_LOOKED_AT_ONCE = 8  # frames of a driving video
_USUAL_STYLE = "speaking"
Tell = Callable[[int, int], None]  # (done, total); raises to cancel


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """What a map is drawn from; notice is told of what may be a mistake.

    Shapes:   audio_FD (F, D) speech features at fps, of the whole video; F = 0 where nothing is heard
    """

    system: str
    maps: DrawnMaps
    portrait: Portrait
    find: Find
    driving: Driving
    audio_FD: Tensor = field(default_factory=lambda: torch.zeros(0, 0))
    fps: float
    seed: int
    tell: Tell | None = None
    notice: Callable[[str], None] | None = None

    @property
    def size(self) -> dict[str, int]:
        height, width = self.portrait.picture_YXC.shape[:2]
        return {"height": height, "width": width}


@dataclass(frozen=True, eq=False)
class DrawnPoses:
    """Maps of a whole video, drawn as they are asked for, so that memory does not grow with length."""

    pose: Pose
    draw: Callable[[Pose], Tensor]

    def __len__(self) -> int:
        return len(self.pose)

    def __getitem__(self, index_N: Tensor) -> Tensor:
        return self.draw(self.pose[index_N.numpy()])


def drawn(scene: Scene) -> Mapping[Ask, Any]:
    """Draw, or be ready to draw, what drives each frame of a video.

    Raises:   ConfigError: see require_drivers; whatever reading a track, a video or weights raises
    """
    require_drivers(scene.system, scene.maps.drawing, scene.driving)
    return _DRAWERS[scene.maps.drawing](scene)


def _movement(scene: Scene) -> Mapping[Ask, Any]:
    if scene.driving.video is not None:
        return {MAP: DrawnPoses(_driver(scene).pose, draw_skeleton)}
    width_frac, height_frac = scene.driving.movement or scene.maps.box
    box = fixed_box(scene.portrait.pose, width_frac=width_frac, height_frac=height_frac)
    box_map = draw_movement_map(box, **scene.size)
    if scene.driving.track is None:
        return {MAP: box_map[None]}
    return {MAP: DrawnPoses(_driver(scene).pose, lambda part: draw_hands_on(box_map, part))}


def _hand_maps(scene: Scene) -> Mapping[Ask, Any]:
    if scene.driving.track is None and scene.driving.video is None:
        hands = _spoken(scene)
    else:
        hands = _with_parameters(_driver(scene), scene)
    maps = MotionMaps(hands, with_arms(hands, scene.portrait.pose))
    return {MAP: maps, CONFIDENCE: hands.valid_FH.astype(np.float64)}


def _peer_hands(scene: Scene) -> Mapping[Ask, Any]:
    black = torch.zeros(1, 3, scene.size["height"], scene.size["width"])
    return {MAP: DrawnPoses(_driver(scene).pose, lambda part: draw_peer_hands_on(black, part))}


def _face_box(scene: Scene) -> Mapping[Ask, Any]:
    return {MAP: face_box_map(scene.portrait.pose)}


def _skeletons(scene: Scene) -> Mapping[Ask, Any]:
    """Draw a video's person where the video shows them: bodies and framing are to be alike."""
    assert scene.driving.video is not None, "required above"
    pose = _person_of(scene, scene.driving.video)
    at_fps = pose_at_fps(pose, video_facts(scene.driving.video).fps, scene.fps)
    return {MAP: DrawnPoses(at_fps, draw_skeleton)}


_DRAWERS: dict[Drawing, Callable[[Scene], Mapping[Ask, Any]]] = {
    "movement": _movement,
    "hand_maps": _hand_maps,
    "hands": _peer_hands,
    "face_box": _face_box,
    "skeleton": _skeletons,
}


def _driver(scene: Scene) -> HandTrack:
    """Fit the track that was given, or the person of the video, to the portrait; as long as the sound."""
    if scene.driving.track is not None:
        track = load_hand_track(scene.driving.track, scene.driving.conventions or NOTHING_TOLD)
    else:
        assert scene.driving.video is not None, "required above"
        pose, fps = _person_of(scene, scene.driving.video), video_facts(scene.driving.video).fps
        track = HandTrack(pose, fps=fps, source=scene.driving.video.name)
    fitted = align_track(track, scene.portrait.pose)
    when_short = scene.driving.when_short or WHEN_SHORT[0]
    return at_rate(fitted, scene.fps, len(scene.audio_FD), when_short=when_short)


def _person_of(scene: Scene, path: Path) -> Pose:
    """Find the person of a video in every frame, cropped as the portrait is."""
    found: list[np.ndarray] = []
    for frames_FYXC in iter_frames(path, chunk=_LOOKED_AT_ONCE):
        pictures = np.stack([fit_image(frame, **scene.size) for frame in frames_FYXC])
        found.append(scene.find(pictures).packed_FKC())
        if scene.tell:
            scene.tell(0, 1)
    return require_person(Pose.from_packed(np.concatenate(found), **scene.size))


def _spoken(scene: Scene) -> HandParameters:
    model = load_gestures(scene.driving.gestures or bundled.require(bundled.GESTURES))
    if scene.fps != model.fps:
        raise ConfigError(
            f"A video of {scene.fps:g} frames per second was asked for, but hands are made from the voice at "
            f"{model.fps:g}; ask for that rate, or give a hand track."
        )
    amplitude, one_hand = scene.driving.amplitude, scene.driving.one_hand
    return generate_motion(
        model,
        audio_FD=scene.audio_FD,
        frames=len(scene.audio_FD),
        seed=scene.seed,
        style=scene.driving.style or _USUAL_STYLE,
        amplitudes=(None, None) if amplitude is None else model.amplitudes(amplitude),
        offset_FD=body_offset(scene.portrait.pose),
        sizes_frac=hand_sizes(scene.portrait.pose),
        hands=(one_hand != "right", one_hand != "left"),
        progress=scene.tell,
        notice=scene.notice,
    )


def _with_parameters(track: HandTrack, scene: Scene) -> HandParameters:
    fitted = with_parameters(track, progress=scene.tell).parameters
    assert fitted is not None
    return fitted
